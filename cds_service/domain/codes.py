"""Look-up tables from clinical codes to the groups the model and the states use."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")

ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
SNOMED = "http://snomed.info/sct"

_ICD = frozenset({ICD10CM, ICD10})

# Palliative-care encounters and secondary malignant neoplasms (ICD-10-CM Z51.5, C77-C79), and the SNOMED CT concept
# "palliative care" (103735009, check digit tested). A prompt to check goals of care, never a prognosis.
_PALLIATIVE_ICD = ("Z515", "C77", "C78", "C79")
_PALLIATIVE_SNOMED = frozenset({"103735009", "128462008"})

_SHORTEST_PREFIX = 1
_ICD_SHAPE = re.compile(r"[A-Z][0-9][0-9A-Z]{1,5}")
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")
# Where what was denied ends, and the words that turn a complaint into its absence.
_CLAUSE_END = re.compile(r"[.;\n]|\bbut\b|\bpero\b", re.IGNORECASE)
_NEGATIONS = frozenset({"no", "not", "denies", "without", "niega", "sin"})
_LONGEST_PHRASE = 6
_LONGEST_TEXT = 400


@dataclass(frozen=True, slots=True, eq=False)
class CodeTables:
    """Compiled tables of `models/codes/<version>/`; every look-up answers None for what it does not know.

    `chronic` maps an ICD-10-CM code without its point, or a prefix of codes that agree, to whether it is chronic;
    `categories` an ICD-10-CM prefix to its chronic-condition category; `snomed_to_icd10` a SNOMED CT concept to such
    a code; `complaints` a code prefix by system to a complaint group; `complaint_words` a normalised phrase to one.
    """

    version: str
    chronic: Mapping[str, bool]
    categories: Mapping[str, str]
    snomed_to_icd10: Mapping[str, str]
    complaints: Mapping[str, Mapping[str, str]]
    complaint_words: Mapping[str, str]


def is_chronic(tables: CodeTables, system: str, code: str) -> bool | None:
    """Whether the code names a chronic condition; None where the tables do not know it.

    ICD-10 (WHO) codes are read as ICD-10-CM prefixes; SNOMED CT through its small map.
    """
    icd = _icd(tables, system, code)
    return None if icd is None else _longest(tables.chronic, icd)


def chronic_category(tables: CodeTables, system: str, code: str) -> str | None:
    """The survey's checklist condition the code belongs to; distinct ones make `chronic_count`."""
    icd = _icd(tables, system, code)
    return None if icd is None else _longest(tables.categories, icd)


def complaint_group(tables: CodeTables, codings: Iterable[tuple[str, str]], text: str | None) -> str | None:
    """The complaint group of the first coding that has one, else of the text, else None."""
    for system, code in codings:
        group = _coded_complaint(tables, system, code)
        if group is not None:
            return group
    return _spoken_complaint(tables, text) if text else None


def is_palliative(system: str, code: str) -> bool:
    """Whether the code records palliative care or metastatic cancer."""
    if system in _ICD:
        return _bare(code).startswith(_PALLIATIVE_ICD)
    return system == SNOMED and code in _PALLIATIVE_SNOMED


def normalised(text: str) -> list[str]:
    """Lower-case words of a text without accents or punctuation, as the phrase tables spell them."""
    plain = text.lower()
    if not plain.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return _NOT_A_WORD.sub(" ", plain).split()


def _coded_complaint(tables: CodeTables, system: str, code: str) -> str | None:
    if system in _ICD:
        return _longest(tables.complaints.get(ICD10CM, {}), _bare(code))
    if system != SNOMED:
        return None
    group = tables.complaints.get(SNOMED, {}).get(code)
    icd = tables.snomed_to_icd10.get(code)
    return group if group or icd is None else _longest(tables.complaints.get(ICD10CM, {}), icd)


def _spoken_complaint(tables: CodeTables, text: str) -> str | None:
    """The group of the longest phrase in the text, the earliest of equals; what a clause denies is not read.

    Read anew each time: a complaint is a patient's own words, and nothing of them is to stay in memory.
    """
    found = [
        match
        for clause in _CLAUSE_END.split(text[:_LONGEST_TEXT])
        for match in _matches(tables.complaint_words, clause)
    ]
    return max(found, key=lambda match: match[0])[1] if found else None


def _matches(phrases: Mapping[str, str], clause: str) -> list[tuple[int, str]]:
    """(words, group) of every phrase in a clause that begins before or at its first word of negation."""
    words = normalised(clause)
    negation = next((at for at, word in enumerate(words) if word in _NEGATIONS), len(words))
    return [
        (length, phrases[phrase])
        for start in range(min(negation + 1, len(words)))
        for length in range(1, min(_LONGEST_PHRASE, len(words) - start) + 1)
        if (phrase := " ".join(words[start : start + length])) in phrases
    ]


def _icd(tables: CodeTables, system: str, code: str) -> str | None:
    if system in _ICD:
        return _bare(code)
    return tables.snomed_to_icd10.get(code) if system == SNOMED else None


def _bare(code: str) -> str:
    """The code without its point, or nothing when it has not the shape of one, as where words were sent as a code."""
    bare = code.strip().replace(".", "").upper()
    return bare if _ICD_SHAPE.fullmatch(bare) else ""


def _longest(table: Mapping[str, _T], code: str) -> _T | None:
    for length in range(len(code), _SHORTEST_PREFIX - 1, -1):
        found = table.get(code[:length])
        if found is not None:
            return found
    return None
