"""Codes for what a person types: ICD-10 by our own short names or by code, rare diseases by name or id."""

from __future__ import annotations

from typing import NamedTuple

from cds_service.domain.codes import ICD10, ICD10CM, SNOMED, CodeTables, is_chronic, normalised
from cds_service.domain.common_diagnoses import COMMON_DIAGNOSES, NamedCode
from cds_service.domain.label import CODE_SHAPES, RARE_SYSTEMS
from cds_service.inference.disease_names import Disease, find_diseases
from cds_service.inference.ranker_knowledge import Knowledge

# As many as fit on a tablet; chosen by us.
MOST = 10
LONGEST = 100


class FoundDiagnosis(NamedTuple):
    """A code of one of the systems of CODE_SHAPES, and what it is called; no name for a code that only exists."""

    system: str
    code: str
    name: str = ""


def find_diagnoses(
    text: str, *, language: str, tables: CodeTables, knowledge: Knowledge | None
) -> list[FoundDiagnosis]:
    """What the text may mean, common diagnoses first; without rare diseases while these are loading."""
    typed = text.strip()[:LONGEST]
    if not typed:
        return []
    found = [*_common(typed, language), *_as_typed(typed, tables)]
    if knowledge is not None and len(found) < MOST:
        found += [_rare(disease) for disease in find_diseases(knowledge, typed, limit=MOST - len(found))]
    return found[:MOST]


def diagnosis_name(system: str, code: str, *, language: str, knowledge: Knowledge | None) -> str:
    """What a code is called here; empty for one without a name."""
    named = next((one for one in COMMON_DIAGNOSES if one.code == code), None) if system in (ICD10, ICD10CM) else None
    if named is not None:
        return named.spanish if language == "es" else named.english
    source = next((source for source, address in RARE_SYSTEMS.items() if address == system), None)
    row = None if knowledge is None or source is None else knowledge.disease_rows.get(f"{source}:{code}")
    return "" if knowledge is None or row is None else knowledge.names[row]


def _common(typed: str, language: str) -> list[FoundDiagnosis]:
    """Of the common diagnoses those whose code begins so, or whose name in either language has words that do."""
    code, words = _bare(typed), [f" {word}" for word in normalised(typed)]

    def fits(one: NamedCode) -> bool:
        names = f" {' '.join(normalised(one.english))} {' '.join(normalised(one.spanish))}"
        return (len(code) > 1 and _bare(one.code).startswith(code)) or (
            bool(words) and all(word in names for word in words)
        )

    return [
        FoundDiagnosis(ICD10, one.code, one.spanish if language == "es" else one.english)
        for one in COMMON_DIAGNOSES
        if fits(one)
    ]


def _as_typed(typed: str, tables: CodeTables) -> list[FoundDiagnosis]:
    """The code itself, in each system whose codes look so: most codes have no name here."""
    code = typed.upper()
    if any(one.code == code for one in COMMON_DIAGNOSES):
        return []
    is_american = is_chronic(tables, ICD10CM, code) is not None
    systems = (ICD10CM if is_american else ICD10, SNOMED)
    return [FoundDiagnosis(system, code) for system in systems if CODE_SHAPES[system].fullmatch(code)]


def _rare(disease: Disease) -> FoundDiagnosis:
    source, _, code = disease.ids[0].partition(":")
    return FoundDiagnosis(RARE_SYSTEMS[source], code, disease.name)


def _bare(code: str) -> str:
    return code.replace(".", "").upper()
