"""Recorded diagnoses: which count, what the tables say of them, and whether they record a pregnancy."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct

from cds_service.domain.codes import ICD10, ICD10CM, SNOMED, CodeTables, chronic_category, is_chronic, is_palliative
from cds_service.domain.patient import Condition
from cds_service.fhir.codes import concept_of, keys_of
from cds_service.fhir.shapes import CodeableConcept, Entry, Resource
from cds_service.fhir.text import bounded, source_name
from cds_service.fhir.times import day_from_date

# R4 code systems condition-clinical and condition-ver-status. Inactive, remission and resolved are no present
# condition; unconfirmed, provisional and differential are no recorded diagnosis yet.
_PRESENT = frozenset({"active", "recurrence", "relapse"})
_NOT_CONFIRMED = frozenset({"unconfirmed", "provisional", "differential"})
_WITHDRAWN = frozenset({"refuted", "entered-in-error"})

# Pregnancy, childbirth and the puerperium (ICD-10 chapter O), pregnant state incidental (Z33.1), supervision of
# pregnancy (Z34), weeks of gestation (ICD-10-CM Z3A); SNOMED CT 77386006 Pregnant.
_PREGNANT_ICD = ("O", "Z331", "Z34", "Z3A")
_PREGNANT_SNOMED = "77386006"

# 42 weeks of gestation and 6 of puerperium: an older record says nothing of today. Chosen by us.
PREGNANCY_LASTS = timedelta(weeks=48)

MAX_CODE = 64
_SYSTEMS = (ICD10CM, ICD10, SNOMED)


class Diagnosis(Struct, gc=False, frozen=True):
    """What the tables say of a diagnosis' code."""

    system: str
    code: str
    chronic: bool | None
    category: str | None
    palliative: bool


class _Memory:
    """Diagnoses of one set of tables by the bytes of their code: the same few come again and again."""

    def __init__(self, tables: CodeTables) -> None:
        self.tables = tables
        self.known: dict[bytes, Diagnosis] = {}


_memory: list[_Memory] = []
_REMEMBERED = 4096
_LONGEST_REMEMBERED = 1024


def read_condition(resource: Resource, full_url: str | None, tables: CodeTables) -> Condition | str:
    """The recorded diagnosis, or a machine-readable remark why the resource is not one of the present.

    Raises msgspec.ValidationError when a code or status has another shape than FHIR's.
    """
    why_not = _not_present(
        bytes(resource.verification_status), bytes(resource.clinical_status), bool(resource.abatement_date_time)
    )
    if why_not:
        return why_not
    diagnosis = _diagnosis(resource.code, tables)
    if diagnosis is None:
        return "condition-without-code"
    return Condition(
        diagnosis.system,
        diagnosis.code,
        source_name("Condition", resource.id, full_url),
        diagnosis.chronic,
        diagnosis.category,
        diagnosis.palliative,
        day_from_date(resource.recorded_date) or day_from_date(resource.onset_date_time),
    )


@lru_cache(maxsize=256)
def _not_present(verification: bytes, clinical: bytes, is_over: bool) -> str:
    """Why a condition of these statuses is not a present, recorded one; empty when it is."""
    verified, stated = _codes(verification), _codes(clinical)
    if verified & _WITHDRAWN:
        return "condition-refuted-or-in-error"
    if verified & _NOT_CONFIRMED:
        return "condition-not-confirmed"
    present = stated & _PRESENT if stated else not is_over
    return "" if present else "condition-not-active"


def _codes(text: bytes) -> set[str]:
    return {code for _, code in keys_of(concept_of(Raw(text)))}


def _diagnosis(code: Raw, tables: CodeTables) -> Diagnosis | None:
    memory = _memory[0] if _memory else None
    if memory is None or memory.tables is not tables or len(memory.known) > _REMEMBERED:
        memory = _Memory(tables)
        _memory[:] = [memory]
    text = bytes(code)
    diagnosis = memory.known.get(text)
    if diagnosis is None:
        diagnosis = _look_up(concept_of(code), tables)
        if diagnosis is not None and len(text) <= _LONGEST_REMEMBERED:
            memory.known[text] = diagnosis
    return diagnosis


def _look_up(concept: CodeableConcept | None, tables: CodeTables) -> Diagnosis | None:
    """What all codings say together, under one of them.

    That is the one that says pregnant, which changes what may be scored, else the first the tables know, else the
    first of a system they are about, else the first.
    """
    pairs = [(system, code) for system, code in keys_of(concept) if system and code and len(code) <= MAX_CODE]
    if not pairs:
        return None
    chronic = {pair: said for pair in pairs if (said := is_chronic(tables, *pair)) is not None}
    pregnant = [pair for pair in pairs if _is_pregnancy(*pair)]
    familiar = [pair for pair in pairs if pair[0] in _SYSTEMS]
    system, code = [*pregnant, *chronic, *familiar, *pairs][0]
    categories = (chronic_category(tables, *pair) for pair in pairs)
    return Diagnosis(
        system=bounded(system, MAX_CODE),
        code=bounded(code, MAX_CODE),
        chronic=any(chronic.values()) if chronic else None,
        category=next((category for category in categories if category is not None), None),
        palliative=any(is_palliative(*pair) for pair in pairs),
    )


def records_pregnancy(condition: Condition, at: datetime) -> bool:
    """Whether a present condition says the patient is pregnant, or gave birth within the last weeks."""
    if not _is_pregnancy(condition.system, condition.code):
        return False
    return condition.recorded is None or at.date() - condition.recorded <= PREGNANCY_LASTS


@lru_cache(maxsize=_REMEMBERED)
def _is_pregnancy(system: str, code: str) -> bool:
    if system == SNOMED:
        return code == _PREGNANT_SNOMED
    return system in (ICD10, ICD10CM) and code.replace(".", "").upper().startswith(_PREGNANT_ICD)


def count_chronic(conditions: tuple[Condition, ...]) -> int:
    """How many different chronic-condition categories are recorded, as the training data counts them."""
    return len({c.chronic_category for c in conditions if c.chronic_category is not None})


def read_conditions(entries: list[Entry], tables: CodeTables) -> tuple[tuple[Condition, ...], set[str]]:
    """The present conditions and the remarks on those left out."""
    found: list[Condition] = []
    remarks: set[str] = set()
    for entry in entries:
        if entry.resource is None:
            continue
        try:
            condition = read_condition(entry.resource, entry.full_url, tables)
        except msgspec.ValidationError:
            condition = "condition-unreadable"
        if isinstance(condition, str):
            remarks.add(condition)
        else:
            found.append(condition)
    return tuple(found), remarks
