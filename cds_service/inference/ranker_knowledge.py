"""The rare-disease knowledge base of `models/rare/<version>/`: HPO, diseases, annotations and the method's numbers."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.ontology import Closure, Floats, Ints, Ontology, ontology_of
from cds_service.domain.texts import Keys, TextLists, Texts
from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import Artifact, open_artifact

TASK = "rare"
TERMS_FILE = "terms.npz"
WORDS_FILE = "words.npz"
DISEASES_FILE = "diseases.npz"
ANNOTATIONS_FILE = "annotations.npz"
METHOD_FILE = "method.json"
GOLDEN_FILE = "golden.jsonl"

# X-linked recessive inheritance and nothing else (HPO): mostly males fall ill.
_X_LINKED_RECESSIVE = ("HP:0001419",)


Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """Findings of diseases, one row for each disease, term and reference, by disease and term.

    `reference` is a row of `Knowledge.references`. Seen in `k` of `m` patients, both 0 where nobody said how often:
    `share` is the row of the pair in `shares`.
    """

    disease: Ints
    term: Ints
    reference: Ints
    share: Ints
    shares: Floats

    @property
    def k(self) -> Floats:
        """In how many patients each was seen."""
        return np.asarray(self.shares[self.share, 0])

    @property
    def m(self) -> Floats:
        """Of how many patients."""
        return np.asarray(self.shares[self.share, 1])

    def of(self, disease: int, until: int | None = None) -> slice:
        """Where the rows of one disease lie, or of all from it until another."""
        ends = np.array([disease, disease + 1 if until is None else until], self.disease.dtype)
        return slice(*np.searchsorted(self.disease, ends).tolist())

    def where(self, rows: NDArray[np.bool_] | Ints | slice) -> Annotated:
        """Some of the rows, by mask, place or in the order given."""
        return Annotated(self.disease[rows], self.term[rows], self.reference[rows], self.share[rows], self.shares)


@dataclass(frozen=True, slots=True, eq=False)
class WordIndex:
    """The words of all findings' names and synonyms, in order; `phrases[starts[w] : starts[w + 1]]` are those with one.

    A phrase below the number of terms is the name of that term, the others are synonyms. `in_order` are the phrases
    by their normalised words, `ranks` the place of each among all, short ones and those of many diseases first.
    """

    words: Texts
    starts: Ints
    phrases: Ints
    in_order: Ints
    ranks: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Knowledge:
    """All that is known of rare diseases, by row of `diseases`; `names`, `also`, `onset`, `inheritance` go along.

    `disease_rows` finds a row by any of its ids. `synonyms` belong to the terms in `synonym_terms`; `snomed` and
    `umls` map codes to the ontology's rows. `onset` is the earliest annotated age in years, NaN where unknown;
    `for_males` marks diseases that are X-linked recessive and nothing else. `method` are the numbers of the ranking.
    """

    version: str
    release: str
    ontology: Ontology
    synonyms: Texts
    synonym_terms: Ints
    words: WordIndex
    snomed: Mapping[str, int]
    umls: Mapping[str, int]
    diseases: Texts
    names: Texts
    also: TextLists
    onset: Floats
    inheritance: TextLists
    for_males: NDArray[np.bool_]
    disease_rows: Mapping[str, int]
    references: Texts
    annotated: Annotated
    method: Mapping[str, Any]
    card_path: Path

    def papers_of(self, reference: int) -> tuple[str, ...]:
        """The papers of a row of `references`: none where it is a database or a rule."""
        name = self.references[reference]
        return tuple(name.split(";")) if "PMID:" in name else ()


def load_knowledge(models_dir: Path, version: str | None = None) -> Knowledge:
    """The knowledge base of a published version, `CURRENT` by default, once its hashes are verified."""
    artifact = open_artifact(models_dir, TASK, version)
    try:
        return knowledge_from_files(artifact)
    except (KeyError, ValueError, IndexError, EOFError, BadZipFile) as problem:
        raise ConfigurationError(f"is no knowledge base: {problem}", where=str(artifact.directory)) from problem


def knowledge_from_files(artifact: Artifact) -> Knowledge:
    """The knowledge base in an artifact's files."""
    terms = _arrays(artifact, TERMS_FILE)
    diseases = _arrays(artifact, DISEASES_FILE)
    inheritance = TextLists(_texts(diseases, "inheritance"))
    return Knowledge(
        version=artifact.manifest["version"],
        release=artifact.manifest["release"],
        ontology=ontology_of(
            _texts(terms, "ids"),
            _texts(terms, "names"),
            _keys(terms, "known"),
            Closure(terms["sizes"], terms["ancestors"], terms["steps"]),
        ),
        synonyms=_texts(terms, "synonyms"),
        synonym_terms=terms["synonym_terms"],
        words=_words(_arrays(artifact, WORDS_FILE)),
        snomed=_keys(terms, "snomed"),
        umls=_keys(terms, "umls"),
        diseases=_texts(diseases, "ids"),
        names=_texts(diseases, "names"),
        also=TextLists(_texts(diseases, "also")),
        onset=diseases["onset"],
        inheritance=inheritance,
        for_males=np.array([names == _X_LINKED_RECESSIVE for names in inheritance]),
        disease_rows=_keys(diseases, "known"),
        references=_texts(diseases, "references"),
        annotated=_annotated(_arrays(artifact, ANNOTATIONS_FILE)),
        method=artifact.json(METHOD_FILE),
        card_path=artifact.directory / "card.md",
    )


def _arrays(artifact: Artifact, name: str) -> Arrays:
    with np.load(io.BytesIO(artifact.files[name]), allow_pickle=False) as arrays:
        return dict(arrays)


def _texts(arrays: Arrays, name: str) -> Texts:
    return Texts(arrays[f"{name}.content"], arrays[f"{name}.lengths"])


def _keys(arrays: Arrays, name: str) -> Keys:
    return Keys(_texts(arrays, name), arrays[f"{name}.rows"])


def _words(arrays: Arrays) -> WordIndex:
    starts = np.concatenate([[0], np.cumsum(arrays["counts"], dtype=np.int64)])
    return WordIndex(_texts(arrays, "words"), starts, arrays["phrases"], arrays["in_order"], arrays["ranks"])


def _annotated(arrays: Arrays) -> Annotated:
    counts, steps = arrays["rows_of_disease"].astype(np.int64), arrays["term_steps"]
    disease = np.repeat(np.arange(len(counts), dtype=np.uint16), counts)
    # Terms are steps within the disease: all of them added up, less what was added up before its first.
    along = np.cumsum(steps, dtype=np.int64)
    before = np.concatenate([[0], along])[np.cumsum(counts) - counts]
    along -= before[disease]
    return Annotated(disease, along.astype(np.uint16), arrays["reference"], arrays["frequency"], arrays["shares"])
