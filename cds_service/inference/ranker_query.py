"""A patient's findings as rows of the ontology, and the score every disease gets for them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.ontology import Floats, Ints, Ontology
from cds_service.domain.phenotype import Phenotype
from cds_service.inference.ranker_index import Index, Method
from cds_service.inference.ranker_knowledge import Knowledge

EVERY = slice(None)


class Query(NamedTuple):
    """Rows of observed findings with their weights, of those to hold against a disease's picture, and of excluded ones.

    What a vital sign alone says is observed at a low weight and not part of the picture.
    """

    observed: Ints
    weights: Floats
    pictured: Ints
    excluded: Ints
    age_years: float | None = None
    sex: str | None = None


def query_of(phenotype: Phenotype, ontology: Ontology, method: Method) -> Query:
    """The query of a phenotype whose terms the ontology knows; order and repeats make no difference."""
    rows = ontology.rows
    clinical = sorted({rows[f.term] for f in phenotype.findings if not f.excluded and not f.by_vital})
    vital = sorted({rows[f.term] for f in phenotype.findings if not f.excluded and f.by_vital} - set(clinical))
    excluded = sorted({rows[f.term] for f in phenotype.findings if f.excluded} - set(clinical) - set(vital))
    return Query(
        observed=np.array([*clinical, *vital], np.int64),
        weights=np.array([1.0] * len(clinical) + [method.vital_weight] * len(vital), np.float32),
        pictured=np.array(clinical, np.int64),
        excluded=np.array(excluded, np.int64),
        age_years=phenotype.age_years,
        sex=phenotype.sex,
    )


def score(index: Index, query: Query, shared: Floats) -> Floats:
    """What the findings say for each disease of the index, shape (diseases,).

    The weighted mean of the observed findings' evidence, plus the share of the disease's picture they cover, less a
    part of what its missing findings refute. An excluded finding never adds to any disease. `shared` is what
    `Index.shared_with` says of the pictured findings.
    """
    total = np.zeros(len(index), np.float32)
    if not len(index) or not len(query.observed):
        return total
    for row, weight in zip(query.observed.tolist(), query.weights, strict=True):
        total += weight * index.evidence(row)
    for row in query.excluded.tolist():
        diseases, losses = index.refutation(row)
        total[diseases] += np.float32(index.method.excluded_weight) * losses
    total /= query.weights.sum()
    return total + np.float32(index.method.coverage_weight) * index.coverage(shared)


def is_too_young(knowledge: Knowledge, query: Query, rows: int | slice = EVERY) -> NDArray[np.bool_]:
    """Whether the earliest annotated onset of these diseases is past the patient's age."""
    return np.asarray(knowledge.onset[rows] > (np.inf if query.age_years is None else query.age_years))


def is_unlikely_sex(knowledge: Knowledge, query: Query, rows: int | slice = EVERY) -> NDArray[np.bool_]:
    """Whether these diseases are annotated as X-linked recessive only, and the patient is female."""
    return np.asarray(knowledge.for_males[rows] & (query.sex == "female"))
