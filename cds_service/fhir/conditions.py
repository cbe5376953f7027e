"""Recorded diagnoses: which count, what the tables say of them, and whether they record a pregnancy."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from msgspec import Raw

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
# pregnancy (Z34); SNOMED CT 77386006 Pregnant.
_PREGNANT_ICD = ("O", "Z331", "Z34")
_PREGNANT_SNOMED = "77386006"

# 42 weeks of gestation and 6 of puerperium: an older record says nothing of today. Chosen by us.
PREGNANCY_LASTS = timedelta(weeks=48)

MAX_CODE = 64
_SYSTEMS = (ICD10CM, ICD10, SNOMED)


def read_condition(resource: Resource, full_url: str | None, tables: CodeTables) -> Condition | str:
    """The recorded diagnosis, or a machine-readable remark why the resource is not one of the present.

    Raises msgspec.ValidationError when a code or status has another shape than FHIR's.
    """
    verification = _codes(resource.verification_status)
    if verification & _WITHDRAWN:
        return "condition-refuted-or-in-error"
    if verification & _NOT_CONFIRMED:
        return "condition-not-confirmed"
    clinical = _codes(resource.clinical_status)
    if (clinical and not clinical & _PRESENT) or (not clinical and resource.abatement_date_time):
        return "condition-not-active"
    pairs = _pairs(concept_of(resource.code))
    coding = _best_coding(pairs, tables)
    if coding is None:
        return "condition-without-code"
    system, code = coding
    return Condition(
        system=bounded(system, MAX_CODE),
        code=bounded(code, MAX_CODE),
        source=source_name("Condition", resource.id, full_url),
        chronic=is_chronic(tables, system, code),
        chronic_category=chronic_category(tables, system, code),
        palliative=any(is_palliative(s, c) for s, c in pairs),
        recorded=day_from_date(resource.recorded_date) or day_from_date(resource.onset_date_time),
    )


def _codes(raw: Raw) -> set[str]:
    return {code for _, code in keys_of(concept_of(raw))}


def _pairs(concept: CodeableConcept | None) -> list[tuple[str, str]]:
    return [(system, code) for system, code in keys_of(concept) if system and code and len(code) <= MAX_CODE]


def _best_coding(pairs: list[tuple[str, str]], tables: CodeTables) -> tuple[str, str] | None:
    """The first coding the tables know, else the first of a system they are about, else the first."""
    for system, code in pairs:
        if is_chronic(tables, system, code) is not None:
            return system, code
    return next((pair for pair in pairs if pair[0] in _SYSTEMS), pairs[0] if pairs else None)


def records_pregnancy(condition: Condition, at: datetime) -> bool:
    """Whether a present condition says the patient is pregnant, or gave birth within the last weeks."""
    if condition.system == SNOMED:
        pregnant = condition.code == _PREGNANT_SNOMED
    else:
        pregnant = condition.system in (ICD10, ICD10CM) and _bare(condition.code).startswith(_PREGNANT_ICD)
    return pregnant and (condition.recorded is None or at.date() - condition.recorded <= PREGNANCY_LASTS)


def _bare(code: str) -> str:
    return code.replace(".", "").upper()


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
