"""Observations to candidate readings: whose, in what state, when, and which vital sign each statement is of."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct, field

from cds_service.domain.choose import Candidate
from cds_service.domain.meanings import BLOOD_GAS, Meaning
from cds_service.domain.patient import NotUsed, UnusedReading, new_reading, new_unused
from cds_service.domain.statements import Refusal
from cds_service.domain.text import bounded
from cds_service.domain.timeliness import Window
from cds_service.fhir.codes import MEANINGS
from cds_service.fhir.patient import Subject
from cds_service.fhir.shapes import Entry, Resource, Statement
from cds_service.fhir.text import is_given, source_name
from cds_service.fhir.times import moment_from_datetime
from cds_service.fhir.values import original_of, read_value, usual_quantity

# R4 ObservationStatus: amended and corrected replace final; preliminary may still change.
_USED = frozenset({"final", "amended", "corrected"})
_NOT_USED = {"entered-in-error": NotUsed.ENTERED_IN_ERROR, "cancelled": NotUsed.CANCELLED}

_OF_OTHER_PATIENT = Refusal(NotUsed.OTHER_PATIENT)
_OF_NOBODY = Refusal(NotUsed.NO_PATIENT)
_AVERAGE = Refusal(NotUsed.CODE_CONFLICT, "average of several measurements")

UNKNOWN_TIME = datetime.min.replace(tzinfo=UTC)


class Standing(Struct, gc=False):
    """What holds for every statement of one Observation; with a refusal none of them can be used."""

    resource: Resource
    source: str
    time: datetime
    flags: tuple[str, ...]
    refusal: Refusal | None


class Setting(Struct, gc=False):
    """What a statement is judged against: whose it must be, and when."""

    subject: Subject
    window: Window


class Found(Struct, gc=False):
    """Candidates by vital sign, readings not used, Observations that state other facts, remarks."""

    candidates: dict[str, list[Candidate]] = field(default_factory=dict)
    unused: list[UnusedReading] = field(default_factory=list)
    others: list[Entry] = field(default_factory=list)
    remarks: set[str] = field(default_factory=set)


def read_observation(entry: Entry, setting: Setting, found: Found) -> None:
    """Add every statement of one Observation to what was found."""
    resource = entry.resource
    if resource is None:
        return
    own = MEANINGS[bytes(resource.code)]
    if not own.readable:
        found.remarks.add("observation-unreadable")
    standing: Standing | None = None
    states_fact = own.states_fact
    if own.vital is not None:
        standing = standing_of(entry, resource, setting)
        _read_statement(own.vital, own, resource, standing, setting, found)
    for component in resource.component or ():
        meaning = MEANINGS[bytes(component.code)]
        if meaning.vital is not None:
            standing = standing or standing_of(entry, resource, setting)
            if own.is_average:
                _note_unused(meaning.vital, component, standing, _AVERAGE, found)
            else:
                _read_statement(meaning.vital, meaning, component, standing, setting, found)
        elif meaning.scale is not None:
            states_fact = True
    if states_fact:
        found.others.append(entry)


def standing_of(entry: Entry, resource: Resource, setting: Setting) -> Standing:
    """Whose an Observation is, its state and its time, and the reason when it cannot be used at all."""
    source = source_name("Observation", resource.id, entry.full_url)
    meant = setting.subject.is_meant_by(resource.subject)
    if not meant:
        return Standing(resource, source, UNKNOWN_TIME, (), _OF_NOBODY if meant is None else _OF_OTHER_PATIENT)
    flags, refusal = ((), None) if resource.status in _USED else _less_usual_status(resource.status or "")
    text = resource.effective_date_time
    if text is None:
        text, extra = _less_usual_time(resource)
        flags += extra
    moment = None if text is None else moment_from_datetime(text)
    if moment is None:
        return Standing(resource, source, UNKNOWN_TIME, flags, refusal or _no_time(resource, text))
    time, is_partial = moment
    return Standing(resource, source, time, (*flags, "time-partial") if is_partial else flags, refusal)


def _less_usual_status(status: str) -> tuple[tuple[str, ...], Refusal | None]:
    if status == "preliminary":
        return ("preliminary",), None
    reason = _NOT_USED.get(status)
    return (), Refusal(reason) if reason else Refusal(NotUsed.NOT_FINAL, bounded(status or "no status"))


def _less_usual_time(resource: Resource) -> tuple[str | None, tuple[str, ...]]:
    """An instant, the end of a period, the start of an open one, else when it was issued, unless a Timing was meant."""
    if resource.effective_instant is not None:
        return resource.effective_instant, ()
    period = resource.effective_period
    if period is not None and (period.end or period.start):
        return period.end or period.start, () if period.end else ("period-without-end",)
    if is_given(resource.effective_timing) or resource.issued is None:
        return None, ()
    return resource.issued, ("time-from-issued",)


def _no_time(resource: Resource, text: str | None) -> Refusal:
    if text is not None:
        return Refusal(NotUsed.NO_TIME, "not a FHIR dateTime with a zone")
    return Refusal(NotUsed.NO_TIME, "effectiveTiming" if is_given(resource.effective_timing) else "no time")


def _read_statement(
    name: str, meaning: Meaning, statement: Statement, standing: Standing, setting: Setting, found: Found
) -> None:
    refusal = standing.refusal or meaning.clash or setting.window.refusal(name, standing.time)
    if refusal is None and meaning.may_be_blood_gas and b'"vital-signs"' not in bytes(standing.resource.category):
        refusal = BLOOD_GAS
    if refusal is not None:
        _note_unused(name, statement, standing, refusal, found)
        return
    sent = statement.value_quantity
    usual = None if sent is None or len(statement.data_absent_reason) else usual_quantity(name, sent)
    if usual is not None:
        reading = new_reading((name, usual[0], standing.time, standing.source, usual[1], standing.flags))
    else:
        value = read_value(name, meaning, statement)
        if isinstance(value, Refusal):
            _note_unused(name, statement, standing, value, found)
            return
        flags = standing.flags + value.flags
        if name == "consciousness" and value.value == "A" and not meaning.asks_for_confusion:
            flags += ("confusion-not-asked",)
        reading = new_reading((name, value.value, standing.time, standing.source, original_of(statement), flags))
    found.candidates.setdefault(name, []).append((reading, standing.resource))


def _note_unused(name: str, statement: Statement, standing: Standing, refusal: Refusal, found: Found) -> None:
    """Keep the reason; of another patient's reading nothing but that there was one."""
    foreign = refusal is _OF_OTHER_PATIENT
    if foreign:
        found.remarks.add("observation-of-other-patient")
    original = "" if foreign else original_of(statement)
    time = None if standing.time is UNKNOWN_TIME else standing.time
    found.unused.append(
        new_unused((name, refusal.reason, standing.source, original, refusal.detail, time, refusal.alarming))
    )
