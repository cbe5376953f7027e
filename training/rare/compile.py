"""Compiles HPO and its disease annotations into the three data files of a `rare` artifact; same input, same bytes."""

from __future__ import annotations

import json
import lzma
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cds_service.errors import ConfigurationError
from cds_service.inference.ranker_knowledge import ANNOTATIONS_FILE, DISEASES_FILE, TERMS_FILE
from training.publish import npz_bytes
from training.rare.diseases import Disease
from training.rare.obo import Term

# References kept one by one are papers, for they can be shown and removed; other kinds of source share an entry.
_PAPER = "PMID:"
_OTHER_SOURCES = {"OMIM": "OMIM", "ORPHA": "Orphanet"}


def compile_knowledge(terms: Sequence[Term], diseases: Sequence[Disease]) -> dict[str, bytes]:
    """The files of the knowledge base by name."""
    current = _ordered([term for term in terms if not term.obsolete])
    rows = {term.id: row for row, term in enumerate(current)}
    alternatives = _alternatives(terms, rows)
    known = {**alternatives, **rows}
    return {
        TERMS_FILE: _packed(_terms_document(current, rows, alternatives)),
        DISEASES_FILE: _packed(_diseases_document(diseases)),
        ANNOTATIONS_FILE: _annotations(diseases, known),
    }


def _packed(document: object) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    return lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)


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


def _terms_document(terms: Sequence[Term], rows: Mapping[str, int], alternatives: Mapping[str, int]) -> Any:
    return {
        "ids": [int(term.id[3:]) for term in terms],
        "names": [term.name for term in terms],
        "synonyms": [sorted(set(term.synonyms) - {term.name}) for term in terms],
        "parents": [sorted(rows[parent] for parent in term.parents) for term in terms],
        "alternatives": {str(int(term[3:])): row for term, row in sorted(alternatives.items())},
        "snomed": _references({term.id: term.snomed for term in terms}, rows),
        "umls": _references({term.id: term.umls for term in terms}, rows),
    }


def _references(codes: Mapping[str, Sequence[str]], rows: Mapping[str, int]) -> dict[str, int]:
    """Code to row; where several terms share a code, the most general of them, which is true whichever was meant."""
    found: dict[str, int] = {}
    for term, listed in codes.items():
        for code in listed:
            found[code] = min(found.get(code, rows[term]), rows[term])
    return found


def _diseases_document(diseases: Sequence[Disease]) -> Any:
    return {
        "ids": [disease.id for disease in diseases],
        "names": [disease.name for disease in diseases],
        "also": [list(disease.also) for disease in diseases],
        "onset": [disease.onset for disease in diseases],
        "inheritance": [list(disease.inheritance) for disease in diseases],
        "references": _reference_names(diseases),
    }


def _reference_names(diseases: Sequence[Disease]) -> list[str]:
    return sorted({_reference(f.reference) for disease in diseases for f in disease.findings})


def _reference(reference: str) -> str:
    return reference if _PAPER in reference else _OTHER_SOURCES.get(reference.split(":")[0], "other")


def _annotations(diseases: Sequence[Disease], known: Mapping[str, int]) -> bytes:
    """One row for each disease, term and reference: terms as steps within the disease, frequencies as codes."""
    references = {name: code for code, name in enumerate(_reference_names(diseases))}
    per_disease = [_rows(disease, known, references) for disease in diseases]
    rows = [row for found in per_disease for row in found]
    shares = sorted({(k, m) for _, _, k, m in rows})
    codes = {share: code for code, share in enumerate(shares)}
    steps = [row[0] - previous for found in per_disease for previous, row in _pairs(found)]
    return npz_bytes(
        {
            "rows_of_disease": np.array([len(found) for found in per_disease], np.uint16),
            "term_steps": np.array(steps, np.uint16),
            "reference": np.array([row[1] for row in rows], np.uint16),
            "frequency": np.array([codes[row[2:]] for row in rows], np.uint16),
            "shares": np.array(shares, np.float32),
        }
    )


def _rows(
    disease: Disease, known: Mapping[str, int], references: Mapping[str, int]
) -> list[tuple[int, int, float, float]]:
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


def _pairs(rows: list[tuple[int, int, float, float]]) -> list[tuple[int, tuple[int, int, float, float]]]:
    return list(zip([0, *(row[0] for row in rows)], rows, strict=False))
