"""The rare-disease knowledge base of `models/rare/<version>/`: HPO, diseases, annotations and the method's numbers."""

from __future__ import annotations

import io
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from cds_service.domain.ontology import Floats, Ints, Ontology, build_ontology
from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import Artifact, open_artifact

TASK = "rare"
TERMS_FILE = "terms.json.xz"
DISEASES_FILE = "diseases.json.xz"
ANNOTATIONS_FILE = "annotations.npz"
METHOD_FILE = "method.json"
GOLDEN_FILE = "golden.jsonl"

# X-linked recessive inheritance and nothing else (HPO): mostly males fall ill.
_X_LINKED_RECESSIVE = ("HP:0001419",)


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """Findings of diseases, one row for each disease, term and reference, by disease and term.

    Seen in `k` of `m` patients, both 0 where nobody said how often. `reference` is a row of `Knowledge.references`.
    """

    disease: Ints
    term: Ints
    reference: Ints
    k: Floats
    m: Floats

    def where(self, rows: NDArray[np.bool_] | Ints) -> Annotated:
        """Some of the rows, by mask or in the order given."""
        return Annotated(self.disease[rows], self.term[rows], self.reference[rows], self.k[rows], self.m[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Knowledge:
    """All that is known of rare diseases, by row of `diseases`; `names`, `also`, `onset`, `inheritance` go along.

    `disease_rows` finds a row by any of its ids. `synonyms` go with the ontology's rows; `snomed` and `umls` map
    codes to them. `onset` is the earliest annotated age in years, NaN where unknown; `for_males` marks diseases that
    are X-linked recessive and nothing else. `method` are the numbers of the ranking.
    """

    version: str
    release: str
    ontology: Ontology
    synonyms: tuple[tuple[str, ...], ...]
    snomed: Mapping[str, int]
    umls: Mapping[str, int]
    diseases: tuple[str, ...]
    names: tuple[str, ...]
    also: tuple[tuple[str, ...], ...]
    onset: Floats
    inheritance: tuple[tuple[str, ...], ...]
    for_males: NDArray[np.bool_]
    disease_rows: Mapping[str, int]
    references: tuple[str, ...]
    annotated: Annotated
    method: Mapping[str, Any]
    card_path: Path


class _Terms(msgspec.Struct):
    ids: list[int]
    names: list[str]
    synonyms: list[tuple[str, ...]]
    parents: list[list[int]]
    alternatives: dict[str, int]
    snomed: dict[str, int]
    umls: dict[str, int]


class _Diseases(msgspec.Struct):
    ids: list[str]
    names: list[str]
    also: list[tuple[str, ...]]
    onset: list[float | None]
    inheritance: list[tuple[str, ...]]
    references: list[str]


def load_knowledge(models_dir: Path, version: str | None = None) -> Knowledge:
    """The knowledge base of a published version, `CURRENT` by default, once its hashes are verified."""
    artifact = open_artifact(models_dir, TASK, version)
    try:
        return knowledge_from_files(artifact)
    except (KeyError, ValueError, IndexError, EOFError, lzma.LZMAError) as problem:
        raise ConfigurationError(f"is no knowledge base: {problem}", where=str(artifact.directory)) from problem


def knowledge_from_files(artifact: Artifact) -> Knowledge:
    """The knowledge base in an artifact's files."""
    terms = msgspec.json.decode(lzma.decompress(artifact.files[TERMS_FILE]), type=_Terms)
    diseases = msgspec.json.decode(lzma.decompress(artifact.files[DISEASES_FILE]), type=_Diseases)
    return Knowledge(
        version=artifact.manifest["version"],
        release=artifact.manifest["release"],
        ontology=build_ontology(
            [_hpo_id(number) for number in terms.ids],
            terms.names,
            terms.parents,
            {_hpo_id(int(number)): row for number, row in terms.alternatives.items()},
        ),
        synonyms=tuple(terms.synonyms),
        snomed=terms.snomed,
        umls=terms.umls,
        diseases=tuple(diseases.ids),
        names=tuple(diseases.names),
        also=tuple(diseases.also),
        onset=np.array([np.nan if age is None else age for age in diseases.onset], np.float32),
        inheritance=tuple(diseases.inheritance),
        for_males=np.array([inheritance == _X_LINKED_RECESSIVE for inheritance in diseases.inheritance]),
        disease_rows={
            name: row
            for row, (disease, also) in enumerate(zip(diseases.ids, diseases.also, strict=True))
            for name in (disease, *also)
        },
        references=tuple(diseases.references),
        annotated=_annotated(artifact.files[ANNOTATIONS_FILE]),
        method=artifact.json(METHOD_FILE),
        card_path=artifact.directory / "card.md",
    )


def _hpo_id(number: int) -> str:
    return f"HP:{number:07d}"


def _annotated(content: bytes) -> Annotated:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        counts = arrays["rows_of_disease"].astype(np.int64)
        steps = arrays["term_steps"].astype(np.int64)
        reference = arrays["reference"].astype(np.int64)
        share = arrays["shares"][arrays["frequency"]]
    ends = np.cumsum(counts)
    along = np.cumsum(steps)
    before = np.concatenate([[0], along])[ends - counts]
    disease = np.repeat(np.arange(len(counts)), counts)
    return Annotated(disease, along - before[disease], reference, share[:, 0], share[:, 1])
