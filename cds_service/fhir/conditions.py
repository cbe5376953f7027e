"""Recorded diagnoses: which Conditions are present ones."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec import Raw

from cds_service.domain.codes import CodeTables
from cds_service.domain.diagnoses import Diagnosis, diagnosis_of, may_mean_pregnancy
from cds_service.domain.feedback import AHEAD_TOLERANCE
from cds_service.domain.label import rare_coding
from cds_service.domain.patient import Condition
from cds_service.errors import InvalidResource
from cds_service.fhir.bundle import read_resources
from cds_service.fhir.codes import concept_of, keys_of
from cds_service.fhir.meta import updated_of
from cds_service.fhir.patient import find_subject, mine
from cds_service.fhir.shapes import Entry, Resource
from cds_service.fhir.text import source_name
from cds_service.fhir.times import day_from_date, moment_from_datetime

# R4 code systems condition-clinical and condition-ver-status. Inactive, remission and resolved are no present
# condition; unconfirmed, provisional and differential are no recorded diagnosis yet.
_PRESENT = frozenset({"active", "recurrence", "relapse"})
_NOT_CONFIRMED = frozenset({"unconfirmed", "provisional", "differential"})
_WITHDRAWN = frozenset({"refuted", "entered-in-error"})

_IN_ERROR = "condition-refuted-or-in-error"
_NO_CODE = "condition-without-code"
_UNCONFIRMED = "condition-not-confirmed"
IN_WORDS = "pregnancy-in-words"

_REMEMBERED = 4096
_LONGEST_REMEMBERED = 1024


class _Memory:
    """Diagnoses of one set of tables by the bytes of their code: the same few come again and again."""

    def __init__(self, tables: CodeTables) -> None:
        self.tables = tables
        self.known: dict[bytes, Diagnosis] = {}


_memory: list[_Memory] = []


def read_condition(resource: Resource, full_url: str | None, tables: CodeTables) -> Condition | str:
    """The recorded diagnosis, or a machine-readable remark why the resource is not one of the present.

    Raises msgspec.ValidationError when a code or status has another shape than FHIR's.
    """
    statuses = bytes(resource.verification_status), bytes(resource.clinical_status)
    is_known = max(map(len, statuses)) <= _LONGEST_REMEMBERED
    why_not = (_not_present if is_known else _not_present.__wrapped__)(*statuses, bool(resource.abatement_date_time))
    if why_not:
        return why_not
    diagnosis = _diagnosis(resource.code, tables)
    if diagnosis is None:
        return _NO_CODE
    recorded = day_from_date(resource.recorded_date) or day_from_date(resource.onset_date_time)
    return diagnosis.recorded_in(source_name("Condition", resource.id, full_url), recorded)


@lru_cache(maxsize=256)
def _not_present(verification: bytes, clinical: bytes, is_over: bool) -> str:
    """Why a condition of these statuses is not a present, recorded one; empty when it is."""
    verified, stated = _codes(verification), _codes(clinical)
    if verified & _WITHDRAWN:
        return _IN_ERROR
    if verified & _NOT_CONFIRMED:
        return _UNCONFIRMED
    present = stated & _PRESENT if stated else not is_over
    return "" if present else "condition-not-active"


def _codes(text: bytes) -> set[str]:
    return {code for _, code in keys_of(concept_of(Raw(text)))}


class StatedDiagnosis(NamedTuple):
    """What one Condition says: a diagnosis, that it is none after all (`is_withdrawn`), or why it is left out.

    `at` is the moment of this version, `recorded` the day of the record; None where the record does not say.
    """

    system: str = ""
    code: str = ""
    is_withdrawn: bool = False
    at: datetime | None = None
    left_out: str | None = None
    recorded: date | None = None

    def said_at(self, now: datetime) -> datetime:
        """The record's own time of this version, so that versions may come in any order; now where it gives none."""
        return self.at if self.at is not None and self.at <= now + AHEAD_TOLERANCE else now


def read_stated_diagnoses(
    part: Raw, *, patient_id: str, tables: CodeTables, server: str | None = None
) -> list[StatedDiagnosis]:
    """What the Conditions of a Bundle say of this patient.

    Raises InvalidResource when a Condition is another patient's or cannot be read: then nothing of it is believed.
    """
    resources = read_resources([part], server=server)
    subject = find_subject(resources, patient_id)
    remarks: set[str] = set(resources.remarks)
    own = mine(resources.conditions, subject, remarks)
    spoiled = remarks & {"condition-of-other-patient", "condition-unreadable"}
    if spoiled:
        raise InvalidResource(_REFUSALS[min(spoiled)], where="context.conditions")
    try:
        return [stated_in(entry.resource, tables) for entry in own if entry.resource is not None]
    except msgspec.ValidationError:
        raise InvalidResource(_REFUSALS["condition-unreadable"], where="context.conditions") from None


_REFUSALS = {
    "condition-of-other-patient": "holds a Condition of another patient",
    "condition-unreadable": "holds a Condition that cannot be read",
}


def stated_in(resource: Resource, tables: CodeTables) -> StatedDiagnosis:
    """What one Condition says; msgspec.ValidationError when a code or status has another shape than FHIR's."""
    why_not = _not_present(
        bytes(resource.verification_status), bytes(resource.clinical_status), bool(resource.abatement_date_time)
    )
    is_withdrawn = why_not == _IN_ERROR
    diagnosis = _diagnosis(resource.code, tables)
    if diagnosis is None:
        return StatedDiagnosis(left_out=_NO_CODE)
    left_out = None if is_withdrawn else why_not or None
    # A rare disease is named by its own code; the others beside it are those of its group.
    system, code = rare_coding(keys_of(concept_of(resource.code))) or (diagnosis.system, diagnosis.code)
    recorded = day_from_date(resource.recorded_date)
    return StatedDiagnosis(system, code, is_withdrawn, _version_time(resource), left_out, recorded)


def _version_time(resource: Resource) -> datetime | None:
    updated = updated_of(resource)
    if updated is not None:
        return datetime.fromtimestamp(updated, UTC)
    recorded = moment_from_datetime(resource.recorded_date or "")
    return None if recorded is None or recorded[1] else recorded[0]


def _diagnosis(code: Raw, tables: CodeTables) -> Diagnosis | None:
    memory = _memory[0] if _memory else None
    if memory is None or memory.tables is not tables or len(memory.known) > _REMEMBERED:
        memory = _Memory(tables)
        _memory[:] = [memory]
    text = bytes(code)
    diagnosis = memory.known.get(text)
    if diagnosis is None:
        diagnosis = diagnosis_of(keys_of(concept_of(code)), tables)
        if diagnosis is not None and len(text) <= _LONGEST_REMEMBERED:
            memory.known[text] = diagnosis
    return diagnosis


@lru_cache(maxsize=_REMEMBERED)
def _speaks_of_pregnancy(code: bytes) -> bool:
    """Whether the words of a diagnosis may mean a pregnancy, whatever its codes say."""
    concept = concept_of(Raw(code))
    if concept is None:
        return False
    words = (concept.text, *(coding.display for coding in concept.coding or ()))
    return any(may_mean_pregnancy(text) for text in words if text)


def _asks_about_pregnancy(condition: Condition | str, code: Raw) -> bool:
    """Whether a condition that is present, or suspected, may mean a pregnancy by its words."""
    if isinstance(condition, str) and condition not in (_NO_CODE, _UNCONFIRMED):
        return False
    text = bytes(code)
    return (_speaks_of_pregnancy if len(text) <= _LONGEST_REMEMBERED else _speaks_of_pregnancy.__wrapped__)(text)


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
        if _asks_about_pregnancy(condition, entry.resource.code):
            remarks.add(IN_WORDS)
        if isinstance(condition, str):
            remarks.add(condition)
        else:
            found.append(condition)
    return tuple(found), remarks
