"""Observations to candidate readings: whose, in what state, when, and which vital sign each statement is of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec import Raw, Struct

from cds_service.domain.patient import NotUsed, UnusedReading, Value
from cds_service.domain.policy import ReadingPolicy
from cds_service.domain.vital_codes import VITAL_CODES
from cds_service.fhir.agreement import contradicts_vital
from cds_service.fhir.patient import Subject
from cds_service.fhir.shapes import CodeableConcept, Entry, Resource, Statement
from cds_service.fhir.text import is_given, source_name
from cds_service.fhir.times import moment_from_datetime
from cds_service.fhir.values import Refusal, original_of, read_value

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"

# Oxygen saturation in arterial blood may be a blood-gas result: alone it is SpO2 only among the vital signs.
_ARTERIAL_SATURATION = (LOINC, "2708-6")
# Blood pressure averaged over days (US Core average blood pressure): no measurement of now.
_AVERAGES = frozenset({(LOINC, "96607-7")})
# Scales that ask for new confusion: "alert" on any other does not exclude it.
_ACVPU_SCALES = frozenset({(SNOMED, "1104441000000107"), (LOINC, "80339-5")})
_PULSES = {"heart_rate", "pulse_rate"}

# R4 ObservationStatus. R4: amended and corrected replace final; preliminary may still change.
_USED = frozenset({"final", "amended", "corrected"})
_NOT_USED = {"entered-in-error": NotUsed.ENTERED_IN_ERROR, "cancelled": NotUsed.CANCELLED}

UNKNOWN_TIME = datetime.min.replace(tzinfo=UTC)
_LONGEST_TIME = 40


class Candidate(Struct, gc=False):
    """A usable reading, before the latest is chosen."""

    name: str
    value: Value
    time: datetime
    source: str
    original: str
    flags: tuple[str, ...]
    resource: Resource


class Standing(Struct, gc=False):
    """What holds for every statement of one Observation; `reason` when none of them can be used."""

    resource: Resource
    source: str
    time: datetime
    flags: tuple[str, ...]
    reason: NotUsed | None
    detail: str


@dataclass(slots=True)
class Setting:
    """What a reading is judged against."""

    subject: Subject
    at: datetime
    policy: ReadingPolicy
    encounter_class: str | None
    latest: datetime


@dataclass(slots=True)
class Found:
    """Candidates by vital sign, readings not used, Observations that hold facts other than readings, remarks."""

    candidates: dict[str, list[Candidate]] = field(default_factory=dict)
    unused: list[UnusedReading] = field(default_factory=list)
    others: list[Entry] = field(default_factory=list)
    remarks: set[str] = field(default_factory=set)


def read_observation(entry: Entry, setting: Setting, found: Found) -> None:
    """Add every statement of one Observation to what was found."""
    resource = entry.resource
    if resource is None:
        return
    own = vital_of(resource.code)
    statements: list[tuple[str, str, Statement]] = [] if own is None else [(*own, resource)]
    average = own is None and _is_average(resource.code)
    for component in resource.component or ():
        named = vital_of(component.code)
        if named is not None:
            statements.append((named[0], "average of several measurements" if average else named[1], component))
    if own is None:
        found.others.append(entry)
    if statements:
        standing = standing_of(entry, resource, setting)
        for name, clash, statement in statements:
            _read_statement(name, clash, statement, standing, setting, found)


def vital_of(concept: CodeableConcept | None) -> tuple[str, str] | None:
    """The vital sign any of the codings names, and what speaks against it (empty when nothing does)."""
    found: str | None = None
    clash = ""
    codings = () if concept is None else concept.coding or ()
    for coding in codings:
        name = VITAL_CODES.get((coding.system or "", coding.code or ""))
        if name is None or name == found:
            continue
        if found is None:
            found = name
        elif found in _PULSES and name in _PULSES:
            found = "pulse_rate"
        else:
            clash = "codings name different vital signs"
    if found is None or concept is None:
        return None
    return found, clash or _label_clash(found, concept)


def _label_clash(name: str, concept: CodeableConcept) -> str:
    for coding in concept.coding or ():
        if coding.display is not None and contradicts_vital(name, coding.display):
            return "code and text disagree"
    return "code and text disagree" if concept.text is not None and contradicts_vital(name, concept.text) else ""


def _is_average(concept: CodeableConcept | None) -> bool:
    return concept is not None and any((c.system, c.code) in _AVERAGES for c in concept.coding or ())


def standing_of(entry: Entry, resource: Resource, setting: Setting) -> Standing:
    """Whose an Observation is, its state and its time, and the reason when it cannot be used at all."""
    source = source_name("Observation", resource.id, entry.full_url)
    meant = setting.subject.is_meant_by(resource.subject)
    if meant is False:
        return Standing(resource, source, UNKNOWN_TIME, (), NotUsed.OTHER_PATIENT, "")
    flags = () if meant else ("subject-not-stated",)
    status = resource.status
    reason, detail = None, ""
    if status == "preliminary":
        flags += ("preliminary",)
    elif status not in _USED:
        reason, detail = _NOT_USED.get(status or "", NotUsed.NOT_FINAL), status or "no status"
    time, time_flags, time_detail = _effective(resource)
    if reason is None and time is UNKNOWN_TIME:
        reason, detail = NotUsed.NO_TIME, time_detail
    return Standing(resource, source, time, flags + time_flags, reason, detail)


def _effective(resource: Resource) -> tuple[datetime, tuple[str, ...], str]:
    """When the reading was taken, flags on how that is known, and what was wrong if it is not."""
    text, flags = resource.effective_date_time or resource.effective_instant, ()
    if text is None:
        text, flags = _less_usual_time(resource)
    if text is None:
        return UNKNOWN_TIME, (), "effectiveTiming" if is_given(resource.effective_timing) else "no time"
    moment = moment_from_datetime(text) if len(text) <= _LONGEST_TIME else None
    if moment is None:
        return UNKNOWN_TIME, (), "not a FHIR dateTime with a zone"
    return moment[0], (*flags, "time-partial") if moment[1] else flags, ""


def _less_usual_time(resource: Resource) -> tuple[str | None, tuple[str, ...]]:
    """The end of a period, the start of an open one, else when it was issued, unless a Timing was meant."""
    period = resource.effective_period
    if period is not None and (period.end or period.start):
        return period.end or period.start, () if period.end else ("period-without-end",)
    if is_given(resource.effective_timing) or resource.issued is None:
        return None, ()
    return resource.issued, ("time-from-issued",)


def _read_statement(
    name: str, clash: str, statement: Statement, standing: Standing, setting: Setting, found: Found
) -> None:
    given = _refused(name, clash, statement, standing, setting) or read_value(name, statement)
    if isinstance(given, Refusal):
        _note_unused(name, statement, standing, given, found)
        return
    flags = standing.flags + given.flags if given.flags else standing.flags
    if given.value == "A" and name == "consciousness" and not _asks_for_confusion(statement.code):
        flags += ("confusion-not-asked",)
    found.candidates.setdefault(name, []).append(
        Candidate(name, given.value, standing.time, standing.source, original_of(statement), flags, standing.resource)
    )


def _refused(name: str, clash: str, statement: Statement, standing: Standing, setting: Setting) -> Refusal | None:
    """Why a statement's value is not even read, the reason that matters most first."""
    if standing.reason is not None:
        return Refusal(standing.reason, standing.detail)
    if clash:
        return Refusal(NotUsed.CODE_CONFLICT, clash)
    if name == "spo2" and _may_be_blood_gas(statement.code, standing.resource.category):
        return Refusal(NotUsed.CODE_CONFLICT, "2708-6 without category vital-signs may be a blood gas")
    if standing.time > setting.latest:
        return Refusal(NotUsed.FUTURE)
    limit = setting.policy.age_limit(name, setting.encounter_class)
    if setting.at - standing.time > limit:
        return Refusal(NotUsed.STALE, f"older than {limit.total_seconds() / 3600:g} h")
    return None


def _may_be_blood_gas(concept: CodeableConcept | None, category: Raw) -> bool:
    for coding in () if concept is None else concept.coding or ():
        key = (coding.system or "", coding.code or "")
        if key != _ARTERIAL_SATURATION and VITAL_CODES.get(key) == "spo2":
            return False
    return b'"vital-signs"' not in bytes(category)


def _note_unused(name: str, statement: Statement, standing: Standing, refusal: Refusal, found: Found) -> None:
    """Keep the reason; of another patient's reading nothing but that there was one."""
    foreign = refusal.reason is NotUsed.OTHER_PATIENT
    if foreign:
        found.remarks.add("observation-of-other-patient")
    found.unused.append(
        UnusedReading(
            name=name,
            reason=refusal.reason,
            source=standing.source,
            original="" if foreign else original_of(statement),
            detail=refusal.detail,
            time=None if standing.time is UNKNOWN_TIME else standing.time,
            alarming=refusal.alarming,
        )
    )


def _asks_for_confusion(concept: CodeableConcept | None) -> bool:
    return concept is not None and any((c.system, c.code) in _ACVPU_SCALES for c in concept.coding or ())
