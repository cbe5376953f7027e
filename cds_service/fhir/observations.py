"""Observations to candidate readings: whose, in what state, when, and which vital sign each statement is of."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct, field

from cds_service.domain.patient import NotUsed, UnusedReading, Value
from cds_service.domain.policy import ReadingPolicy
from cds_service.fhir.codes import Meaning, Refusal, meaning_of
from cds_service.fhir.patient import Subject
from cds_service.fhir.shapes import Entry, Resource, Statement
from cds_service.fhir.text import bounded, is_given, source_name
from cds_service.fhir.times import moment_from_datetime
from cds_service.fhir.values import original_of, read_value

# R4 ObservationStatus: amended and corrected replace final; preliminary may still change.
_USED = frozenset({"final", "amended", "corrected"})
_NOT_USED = {"entered-in-error": NotUsed.ENTERED_IN_ERROR, "cancelled": NotUsed.CANCELLED}

_OF_OTHER_PATIENT = Refusal(NotUsed.OTHER_PATIENT)
_AVERAGE = Refusal(NotUsed.CODE_CONFLICT, "average of several measurements")
_BLOOD_GAS = Refusal(NotUsed.CODE_CONFLICT, "2708-6 without category vital-signs may be a blood gas")

UNKNOWN_TIME = datetime.min.replace(tzinfo=UTC)


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
    """What holds for every statement of one Observation; with a refusal none of them can be used."""

    resource: Resource
    source: str
    time: datetime
    flags: tuple[str, ...]
    refusal: Refusal | None


class Setting(Struct, gc=False):
    """What a reading is judged against; `oldest` remembers per vital sign how far back a reading may lie."""

    subject: Subject
    at: datetime
    policy: ReadingPolicy
    encounter_class: str | None
    latest: datetime
    oldest: dict[str, datetime] = field(default_factory=dict)

    def untimely(self, name: str, time: datetime) -> Refusal | None:
        """Why a reading of that time is not one of now, or None."""
        oldest = self.oldest.get(name) or self._oldest(name)
        if oldest <= time <= self.latest:
            return None
        if time > self.latest:
            return Refusal(NotUsed.FUTURE)
        return Refusal(NotUsed.STALE, f"older than {(self.at - oldest).total_seconds() / 3600:g} h")

    def _oldest(self, name: str) -> datetime:
        oldest = self.oldest[name] = self.at - self.policy.age_limit(name, self.encounter_class)
        return oldest


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
    own = meaning_of(resource.code)
    if not own.readable:
        found.remarks.add("observation-unreadable")
    standing: Standing | None = None
    states_fact = own.is_pregnancy_status or own.scale is not None
    if own.vital is not None:
        standing = standing_of(entry, resource, setting)
        _read_statement(own.vital, own, resource, standing, setting, found)
    for component in resource.component or ():
        meaning = meaning_of(component.code)
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
    if meant is False:
        return Standing(resource, source, UNKNOWN_TIME, (), _OF_OTHER_PATIENT)
    flags: tuple[str, ...] = () if meant else ("subject-not-stated",)
    status = resource.status
    refusal: Refusal | None = None
    if status == "preliminary":
        flags += ("preliminary",)
    elif status not in _USED:
        refusal = Refusal(_NOT_USED.get(status or "", NotUsed.NOT_FINAL), bounded(status or "no status"))
    text = resource.effective_date_time
    if text is None:
        text, extra = _less_usual_time(resource)
        flags += extra
    moment = None if text is None else moment_from_datetime(text)
    if moment is None:
        return Standing(resource, source, UNKNOWN_TIME, flags, refusal or _no_time(resource, text))
    if moment[1]:
        flags += ("time-partial",)
    return Standing(resource, source, moment[0], flags, refusal)


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
    given = standing.refusal or meaning.clash or setting.untimely(name, standing.time)
    if given is None and meaning.may_be_blood_gas and b'"vital-signs"' not in bytes(standing.resource.category):
        given = _BLOOD_GAS
    value = given or read_value(name, meaning, statement)
    if isinstance(value, Refusal):
        _note_unused(name, statement, standing, value, found)
        return
    flags = standing.flags + value.flags if value.flags else standing.flags
    if name == "consciousness" and value.value == "A" and not meaning.asks_for_confusion:
        flags += ("confusion-not-asked",)
    candidate = Candidate(
        name, value.value, standing.time, standing.source, original_of(statement), flags, standing.resource
    )
    candidates = found.candidates.get(name)
    if candidates is None:
        found.candidates[name] = [candidate]
    else:
        candidates.append(candidate)


def _note_unused(name: str, statement: Statement, standing: Standing, refusal: Refusal, found: Found) -> None:
    """Keep the reason; of another patient's reading nothing but that there was one."""
    foreign = refusal is _OF_OTHER_PATIENT
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
