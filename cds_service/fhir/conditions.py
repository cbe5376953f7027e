"""Recorded diagnoses: which Conditions are present ones."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache, partial
from typing import NamedTuple, TypeAlias

import msgspec
from msgspec import Raw, Struct

from cds_service.domain.codes import CodeTables
from cds_service.domain.diagnoses import Diagnosis, diagnosis_of, may_mean_pregnancy
from cds_service.domain.feedback import AHEAD_TOLERANCE
from cds_service.domain.label import rare_coding
from cds_service.domain.patient import Condition
from cds_service.errors import InvalidResource
from cds_service.fhir.bundle import read_resources
from cds_service.fhir.codes import concept_of, keys_of
from cds_service.fhir.memory import Remembered
from cds_service.fhir.meta import updated_of
from cds_service.fhir.patient import find_subject, mine
from cds_service.fhir.shapes import CodeableConcept, Entry, Resource
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
_LONGEST_REMEMBERED = 2048


class _Said(Struct, frozen=True, gc=False):
    """What status and code of a Condition say: its diagnosis, or the remark why it is not one of the present.

    `asks` when it is present, or suspected, and its words may mean a pregnancy.
    """

    diagnosis: Diagnosis | None
    left_out: str
    asks: bool


# The bytes of verification status, clinical status and code, and whether the condition is over.
_Sent: TypeAlias = tuple[bytes, bytes, bytes, bool]


@lru_cache(maxsize=1)
def _memory(tables: CodeTables) -> Remembered[_Sent, _Said]:
    return Remembered(partial(_said, tables), keeps=_is_short, room=_REMEMBERED)


def _is_short(sent: _Sent, _: _Said) -> bool:
    return sum(map(len, sent[:3])) <= _LONGEST_REMEMBERED


def _said(tables: CodeTables, sent: _Sent) -> _Said:
    """msgspec.ValidationError when a code or status has another shape than FHIR's."""
    verification, clinical, code, is_over = sent
    why_not = _not_present(verification, clinical, is_over)
    if why_not not in ("", _UNCONFIRMED):
        return _Said(None, why_not, asks=False)
    concept = concept_of(Raw(code))
    diagnosis = None if why_not else diagnosis_of(keys_of(concept), tables)
    left_out = why_not or ("" if diagnosis is not None else _NO_CODE)
    return _Said(diagnosis, left_out, asks=_speaks_of_pregnancy(concept))


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
    codings = keys_of(concept_of(resource.code))
    diagnosis = diagnosis_of(codings, tables)
    if diagnosis is None:
        return StatedDiagnosis(left_out=_NO_CODE)
    left_out = None if is_withdrawn else why_not or None
    # A rare disease is named by its own code; the others beside it are those of its group.
    system, code = rare_coding(codings) or (diagnosis.system, diagnosis.code)
    recorded = day_from_date(resource.recorded_date)
    return StatedDiagnosis(system, code, is_withdrawn, _version_time(resource), left_out, recorded)


def _version_time(resource: Resource) -> datetime | None:
    updated = updated_of(resource)
    if updated is not None:
        return datetime.fromtimestamp(updated, UTC)
    recorded = moment_from_datetime(resource.recorded_date or "")
    return None if recorded is None or recorded[1] else recorded[0]


def _speaks_of_pregnancy(concept: CodeableConcept | None) -> bool:
    """Whether the words of a diagnosis may mean a pregnancy, whatever its codes say."""
    if concept is None:
        return False
    words = (concept.text, *(coding.display for coding in concept.coding or ()))
    return any(may_mean_pregnancy(text) for text in words if text)


def read_conditions(entries: list[Entry], tables: CodeTables) -> tuple[tuple[Condition, ...], set[str]]:
    """The present conditions and the remarks on those left out."""
    found: list[Condition] = []
    remarks: set[str] = set()
    known = _memory(tables)
    for entry in entries:
        resource = entry.resource
        if resource is None:
            continue
        statuses = bytes(resource.verification_status), bytes(resource.clinical_status)
        try:
            said = known[*statuses, bytes(resource.code), bool(resource.abatement_date_time)]
        except msgspec.ValidationError:
            remarks.add("condition-unreadable")
            continue
        if said.asks:
            remarks.add(IN_WORDS)
        if said.diagnosis is None:
            remarks.add(said.left_out)
        else:
            recorded = day_from_date(resource.recorded_date) or day_from_date(resource.onset_date_time)
            found.append(said.diagnosis.recorded_in(source_name("Condition", resource.id, entry.full_url), recorded))
    return tuple(found), remarks
