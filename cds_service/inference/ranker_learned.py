"""A site's validated cases beside the published annotations: the few diseases they change, indexed anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cds_service.domain.case_counts import Learned
from cds_service.domain.ontology import Floats, Ints
from cds_service.errors import BadRequest
from cds_service.inference.ranker_index import Index
from cds_service.inference.ranker_knowledge import Annotated, Knowledge
from cds_service.inference.ranker_profiles import profiles_from

# Learned counts come from cases, not from papers.
NO_REFERENCE = -1


@dataclass(frozen=True, slots=True, eq=False)
class LearnedIndex:
    """The changed diseases in an index of their own.

    `rows` are their rows in the whole ranking, of which those past the published ones are the site's own `ids`.
    """

    version: str
    index: Index
    annotated: Annotated
    rows: Ints
    places: dict[int, int]
    ids: tuple[str, ...]
    names: tuple[str, ...]
    cases: dict[int, int]

    def merged(self, published: Floats, changed: Floats) -> Floats:
        """The published scores with those of the changed diseases in their places, new diseases last."""
        scores = np.concatenate([published, np.zeros(len(self.ids), np.float32)])
        scores[self.rows] = changed
        return scores


def learned_index(knowledge: Knowledge, published: Index, learned: Learned, *, pooled: bool = True) -> LearnedIndex:
    """The diseases that validated cases or removed papers change; the published index stays as it is.

    Counts that several papers share cannot be told apart: they go with any one of them, unless `pooled` is false.
    Raises BadRequest for a term that HPO does not know.
    """
    new = tuple(sorted(disease for disease in learned.counts if disease not in knowledge.disease_rows))
    own = {disease: len(published) + n for n, disease in enumerate(new)}
    row_of = {
        disease: own[disease] if disease in own else knowledge.disease_rows[disease] for disease in learned.counts
    }
    kept, affected = _kept(knowledge, learned.without, pooled)
    rows = np.array(sorted({*row_of.values()} | affected), np.int64)
    places = {row: place for place, row in enumerate(rows.tolist())}
    annotated = _joined(kept, _counted(knowledge, learned, row_of), places)
    index = Index(
        knowledge.ontology,
        profiles_from(annotated, len(rows)),
        published.method,
        published.background,
    )
    return LearnedIndex(
        version=learned.version,
        index=index,
        annotated=annotated,
        rows=rows,
        places=places,
        ids=new,
        names=tuple(learned.names.get(disease, disease) for disease in new),
        cases={row_of[disease]: counts.cases for disease, counts in learned.counts.items()},
    )


def _kept(knowledge: Knowledge, without: frozenset[str], pooled: bool) -> tuple[Annotated, set[int]]:
    """The published annotations that stay without these papers, and the diseases that lose some."""
    if not without:
        return knowledge.annotated, set()
    parted = [set(reference.split(";")) for reference in knowledge.references]
    cites = np.array([not without.isdisjoint(papers) if pooled else papers <= without for papers in parted])
    removed = cites[knowledge.annotated.reference]
    return knowledge.annotated.where(~removed), set(knowledge.annotated.disease[removed].tolist())


def _counted(knowledge: Knowledge, learned: Learned, row_of: dict[str, int]) -> list[tuple[int, int, int, int]]:
    """(disease row, term row, k, m) of every learned count."""
    terms = knowledge.ontology.rows
    found = []
    for disease, counts in learned.counts.items():
        for term in sorted({*counts.seen, *counts.denied}):
            if term not in terms:
                raise BadRequest("is no term of this HPO release", where=term)
            found.append((row_of[disease], terms[term], *counts.share(term)))
    return found


def _joined(kept: Annotated, counted: list[tuple[int, int, int, int]], places: dict[int, int]) -> Annotated:
    """The rows of the changed diseases only, by their place among them by it and by term."""
    changed = kept.where(np.isin(kept.disease, list(places)))
    columns = np.array(counted, np.int64).reshape(-1, 4)
    disease = np.concatenate([changed.disease, columns[:, 0]])
    joined = Annotated(
        disease=np.array([places[row] for row in disease.tolist()], np.int64),
        term=np.concatenate([changed.term, columns[:, 1]]),
        reference=np.concatenate([changed.reference, np.full(len(columns), NO_REFERENCE)]),
        share=np.concatenate([changed.share, len(kept.shares) + np.arange(len(columns))]),
        shares=np.concatenate([kept.shares, columns[:, 2:].astype(np.float32)]),
    )
    return joined.where(np.lexsort((joined.term, joined.disease)))
