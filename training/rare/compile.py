"""Compiles HPO and its disease annotations into the data files of a `rare` artifact; same input, same bytes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.ontology import closure_of, ontology_of
from cds_service.domain.texts import Keys, Texts, as_lines
from cds_service.errors import ConfigurationError
from cds_service.inference.ranker_knowledge import ANNOTATIONS_FILE, DISEASES_FILE, TERMS_FILE, WORDS_FILE
from training.publish import npz_bytes
from training.rare.diseases import Disease
from training.rare.obo import Term
from training.rare.words import key_arrays, text_arrays, word_arrays

_Row: TypeAlias = tuple[int, int, float, float]
# References kept one by one are papers, for they can be shown and removed; other kinds of source share an entry.
_PAPER = "PMID:"
_OTHER_SOURCES = {"OMIM": "OMIM", "ORPHA": "Orphanet"}


def compile_knowledge(terms: Sequence[Term], diseases: Sequence[Disease]) -> dict[str, bytes]:
    """The files of the knowledge base by name."""
    current = _ordered([term for term in terms if not term.obsolete])
    rows = {term.id: row for row, term in enumerate(current)}
    known = {**_alternatives(terms, rows), **rows}
    closure = closure_of([sorted(rows[parent] for parent in term.parents) for term in current])
    ontology = ontology_of(Texts.of(rows), Texts.of(term.name for term in current), Keys.of(known), closure)
    synonyms = [sorted(set(term.synonyms) - {term.name}) for term in current]
    references = {name: code for code, name in enumerate(_reference_names(diseases))}
    annotations = [_rows(disease, known, references) for disease in diseases]
    n_annotations = Counter(row[0] for found in annotations for row in found)
    files = {
        TERMS_FILE: {
            **text_arrays("ids", ontology.ids),
            **text_arrays("names", ontology.names),
            **text_arrays("synonyms", (synonym for listed in synonyms for synonym in listed)),
            "synonym_terms": np.repeat(np.arange(len(current)), list(map(len, synonyms))).astype(np.uint16),
            **key_arrays("known", known),
            **key_arrays("snomed", _codes({term.id: term.snomed for term in current}, rows)),
            **key_arrays("umls", _codes({term.id: term.umls for term in current}, rows)),
            "sizes": closure.sizes,
            "ancestors": closure.ancestors,
            "steps": closure.steps,
        },
        WORDS_FILE: word_arrays(ontology, synonyms, n_annotations),
        DISEASES_FILE: {**_disease_arrays(diseases), **text_arrays("references", references)},
        ANNOTATIONS_FILE: _annotation_arrays(annotations),
    }
    return {name: npz_bytes(arrays) for name, arrays in files.items()}


def _ordered(terms: Sequence[Term]) -> list[Term]:
    """Terms by depth and id, so that parents come before their children and the root first."""
    by_id = {term.id: term for term in terms}
    depths: dict[str, int] = {}

    def depth(term: Term) -> int:
        if term.id not in depths:
            depths[term.id] = 1 + max((depth(by_id[parent]) for parent in term.parents), default=-1)
        return depths[term.id]

    ordered = sorted(terms, key=lambda term: (depth(term), term.id))
    if sum(not term.parents for term in ordered) != 1:
        raise ConfigurationError("HPO has not exactly one root", where="hp.obo")
    return ordered


def _alternatives(terms: Sequence[Term], rows: Mapping[str, int]) -> dict[str, int]:
    """Alternative ids, and obsolete ids with a successor, to the row they stand for now."""
    found = {other: rows[term.id] for term in terms if term.id in rows for other in term.alternatives}
    for term in terms:
        successor = rows.get(term.replaced_by, found.get(term.replaced_by))
        if term.obsolete and successor is not None:
            found[term.id] = successor
    return {term: row for term, row in found.items() if term not in rows}


def _codes(codes: Mapping[str, Sequence[str]], rows: Mapping[str, int]) -> dict[str, int]:
    """Code to row; where several terms share a code, the most general of them, which is true whichever was meant."""
    found: dict[str, int] = {}
    for term, listed in codes.items():
        for code in listed:
            found[code] = min(found.get(code, rows[term]), rows[term])
    return found


def _disease_arrays(diseases: Sequence[Disease]) -> dict[str, NDArray[Any]]:
    known = {name: row for row, disease in enumerate(diseases) for name in (disease.id, *disease.also)}
    return {
        **text_arrays("ids", (disease.id for disease in diseases)),
        **text_arrays("names", (disease.name for disease in diseases)),
        **text_arrays("also", (as_lines(disease.also) for disease in diseases)),
        **text_arrays("inheritance", (as_lines(disease.inheritance) for disease in diseases)),
        **key_arrays("known", known),
        "onset": np.array([np.nan if disease.onset is None else disease.onset for disease in diseases], np.float32),
    }


def _reference_names(diseases: Sequence[Disease]) -> list[str]:
    return sorted({_reference(f.reference) for disease in diseases for f in disease.findings})


def _reference(reference: str) -> str:
    return reference if _PAPER in reference else _OTHER_SOURCES.get(reference.split(":")[0], "other")


def _annotation_arrays(per_disease: Sequence[Sequence[_Row]]) -> dict[str, NDArray[Any]]:
    """One row for each disease, term and reference: terms as steps within the disease, frequencies as codes."""
    rows = [row for found in per_disease for row in found]
    shares = sorted({(k, m) for _, _, k, m in rows})
    codes = {share: code for code, share in enumerate(shares)}
    steps = [row[0] - previous for found in per_disease for previous, row in _pairs(found)]
    return {
        "rows_of_disease": np.array([len(found) for found in per_disease], np.uint16),
        "term_steps": np.array(steps, np.uint16),
        "reference": np.array([row[1] for row in rows], np.uint16),
        "frequency": np.array([codes[row[2:]] for row in rows], np.uint16),
        "shares": np.array(shares, np.float32),
    }


def _rows(disease: Disease, known: Mapping[str, int], references: Mapping[str, int]) -> list[_Row]:
    """(term, reference, k, m), ordered; rows that say the same of one term in one reference are added up."""
    found: dict[tuple[int, int], tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for finding in disease.findings:
        term = known.get(finding.term)
        if term is None:
            raise ConfigurationError(f"{finding.term} is not in hp.obo: take both files from one release")
        key = (term, references[_reference(finding.reference)])
        k, m = found[key]
        found[key] = (k + finding.k, m + finding.m)
    return [(*key, round(k, 3), round(m, 3)) for key, (k, m) in sorted(found.items())]


def _pairs(rows: Sequence[_Row]) -> list[tuple[int, _Row]]:
    return list(zip([0, *(row[0] for row in rows)], rows, strict=False))
