"""One patient of a message at a moment: the canonical record, by the rules every sender's data is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cds_service.domain.ages import Age, age_of
from cds_service.domain.choose import Candidate, choose_readings
from cds_service.domain.codes import CodeTables, complaint_group
from cds_service.domain.diagnoses import MAX_CODE, count_chronic, diagnosis_of
from cds_service.domain.facts import ScaleRecord, pregnancy, spo2_scale
from cds_service.domain.patient import Condition, Identity, NotUsed, PatientSnapshot, Reading, UnusedReading
from cds_service.domain.policy import ReadingPolicy
from cds_service.domain.statements import Given, Refusal
from cds_service.domain.text import MAX_SOURCE, bounded
from cds_service.domain.timeliness import Window, window_at
from cds_service.hl7.message import Change, Identifier, Message, Observation, Patient, SentDiagnosis, Visit, VisitStatus
from cds_service.hl7.times import day_of

# HL7 table 0203: identifiers that stay with the patient's record here, the first of which names the patient.
_RECORD_TYPES = ("MR", "PI", "PT", "MRN")
# HL7 table 0052 (diagnosis type): an admitting or working diagnosis is none yet.
NOT_CONFIRMED = frozenset({"A", "W"})
_ADMITTING = "A"
# Dates entered where none is known, met in real messages or common as a system's first day.
_PLACEHOLDERS = frozenset({"19000101", "19090101"})

_VISIT_REMARKS = {
    VisitStatus.PLANNED: "no-encounter-under-way",
    VisitStatus.FINISHED: "no-encounter-under-way",
    VisitStatus.CANCELLED: "encounter-withdrawn",
}


def snapshot_from_message(
    message: Message, patient: int = 0, *, at: datetime, policy: ReadingPolicy, tables: CodeTables
) -> PatientSnapshot:
    """What the message says of one of its patients at the moment `at` (UTC).

    The patient's id is an identifier with its system (`urn:oid:…|value`), empty where no system says whose it is.
    """
    sent = message.patients[patient]
    remarks = set(message.remarks)
    visit = _current_visit(sent.visit, remarks)
    window = window_at(at, policy, None if visit is None else visit.encounter_class)
    conditions = _conditions(sent.diagnoses, tables, remarks)
    pregnant, pregnancy_remarks = pregnancy(_pregnancy_statuses(sent, window), conditions, at)
    scale, scale_remarks = spo2_scale(_scale_records(sent, window), window)
    age = _age(sent.birth_date, at)
    named = _named(sent.identifiers, remarks)
    unused: list[UnusedReading] = []
    candidates = _candidates(sent.observations, window, message.header.control_id, unused)
    readings = choose_readings(candidates, unused, _ORDERS)
    remarks.update(pregnancy_remarks, scale_remarks, age.remarks)
    return PatientSnapshot(
        at=at,
        identity=_identity(sent, age, named),
        age_years=age.years,
        sex=sent.sex,
        readings=readings,
        not_used=tuple(unused),
        conditions=conditions,
        chronic_count=None if conditions is None else count_chronic(conditions),
        pregnant=pregnant,
        spo2_scale=scale,
        encounter_class=None if visit is None else visit.encounter_class,
        complaint_group=None if visit is None else _complaint(visit, sent.diagnoses, tables),
        arrived_by_ambulance=None if visit is None else visit.by_ambulance,
        remarks=tuple(sorted(remarks)),
    )


def identity_from_message(sent: Patient, *, at: datetime) -> Identity:
    """Who a patient of a message is, as its snapshot names them."""
    return _identity(sent, _age(sent.birth_date, at), _named(sent.identifiers, set()))


def _identity(sent: Patient, age: Age, named: str) -> Identity:
    return Identity(
        patient_id=named,
        name=sent.name,
        birth_date=age.birth_date,
        identifiers=tuple((one.system, one.value) for one in sent.identifiers),
    )


def _candidates(
    observations: list[Observation], window: Window, control_id: str, unused: list[UnusedReading]
) -> dict[str, list[Candidate]]:
    """Usable readings by vital sign; the others are added to `unused` with their reasons."""
    retracted = _Retracted(observations)
    candidates: dict[str, list[Candidate]] = {}
    for one in observations:
        value, time = one.value, one.time
        late = None if time is None or one.is_unusable else window.refusal(one.name, time)
        refusal = late or (value if isinstance(value, Refusal) else retracted.refusal(one))
        if refusal is None and isinstance(value, Given) and time is not None:
            source = bounded(f"{control_id} {one.segment}", MAX_SOURCE)
            reading = Reading(one.name, value.value, time, source, one.original, one.flags)
            candidates.setdefault(one.name, []).append((reading, one))
        elif refusal is not None:
            place = one.segment if late is not None else one.place
            source = bounded(f"{control_id} {place}", MAX_SOURCE)
            reason, detail, alarming = refusal
            unused.append(UnusedReading(one.name, reason, source, one.original, detail, time, alarming))
    return candidates


class _Retracted:
    """What the observations of one message take back of each other: by key and moment, or up to a moment."""

    def __init__(self, observations: list[Observation]) -> None:
        self.withdrawn: dict[tuple[str, str, datetime], dict[str, str]] = {}
        self.cleared: dict[tuple[str, str], tuple[datetime, str]] = {}
        for one in observations:
            name, sub_id, time = one.name, one.key.sub_id, one.time
            if time is not None and one.change is Change.WITHDRAWS:
                self.withdrawn.setdefault((name, sub_id, time), {})[one.original] = one.segment
            elif time is not None and one.change is Change.CLEARS:
                self.cleared[name, sub_id] = max((time, one.segment), self.cleared.get((name, sub_id), (time, "")))

    def refusal(self, one: Observation) -> Refusal | None:
        """Why an observation no longer holds: withdrawn with its value or as a whole, or cleared by a later null."""
        name, sub_id, time = one.name, one.key.sub_id, one.time
        if time is None:
            return None
        cleared = self.cleared.get((name, sub_id))
        if cleared is not None and time <= cleared[0]:
            return Refusal(NotUsed.SUPERSEDED, f"cleared by {cleared[1]}")
        withdrawn = self.withdrawn.get((name, sub_id, time), {})
        segment = withdrawn.get(one.original) or withdrawn.get("")
        if segment is None or one.change is Change.CORRECTS:
            return None
        return Refusal(NotUsed.ENTERED_IN_ERROR, f"withdrawn by {segment}")


def _correction(observation: Observation) -> float:
    return float(observation.change is Change.CORRECTS)


# Of two observations of one moment the correction counts.
_ORDERS = (_correction,)


def _current_visit(visit: Visit | None, remarks: set[str]) -> Visit | None:
    """The visit when it is under way, else None with a remark."""
    if visit is None:
        remarks.add("encounter-not-sent")
        return None
    if visit.status is not VisitStatus.UNDER_WAY:
        remarks.add(_VISIT_REMARKS[visit.status])
        return None
    if visit.encounter_class is None:
        remarks.add("encounter-class-unknown")
    return visit


def _complaint(visit: Visit, diagnoses: list[SentDiagnosis], tables: CodeTables) -> str | None:
    """The group of the reason for admission (PV2-3), else of an admitting diagnosis."""
    sent = [(visit.reasons, visit.reason_text)]
    sent += [(one.codings, one.text) for one in diagnoses if one.type == _ADMITTING and not one.is_deleted]
    for codings, text in sent:
        pairs = [(system, code) for system, code in codings if len(code) <= MAX_CODE]
        group = complaint_group(tables, pairs, text or None)
        if group is not None:
            return group
    return None


def _conditions(diagnoses: list[SentDiagnosis], tables: CodeTables, remarks: set[str]) -> tuple[Condition, ...] | None:
    """The recorded diagnoses, None when no DG1 was sent."""
    if not diagnoses:
        return None
    found: list[Condition] = []
    for sent in diagnoses:
        diagnosis = diagnosis_of(sent.codings, tables)
        if sent.is_deleted:
            remarks.add("condition-refuted-or-in-error")
        elif sent.type in NOT_CONFIRMED:
            remarks.add("condition-not-confirmed")
        elif diagnosis is None:
            remarks.add("condition-without-code")
        else:
            found.append(diagnosis.recorded_in(sent.source, sent.day))
    return tuple(found)


def _pregnancy_statuses(sent: Patient, window: Window) -> Iterator[tuple[datetime, bool]]:
    for fact in sent.facts:
        if fact.pregnant is not None and fact.time is not None and fact.time <= window.latest:
            yield fact.time, fact.pregnant


def _scale_records(sent: Patient, window: Window) -> Iterator[ScaleRecord]:
    for fact in sent.facts:
        if fact.scales:
            is_usable = fact.time is not None and fact.time <= window.latest
            yield ScaleRecord(fact.time if is_usable else None, fact.scales, fact.is_attributed)


def _age(birth_date: str, at: datetime) -> Age:
    if not birth_date:
        return Age(remarks=("birth-date-missing",))
    if birth_date[:8] in _PLACEHOLDERS:
        return Age(remarks=("birth-date-placeholder",))
    day = day_of(birth_date)
    return Age(remarks=("birth-date-unreadable",)) if day is None else age_of(day.first, day.precision, at=at)


def _named(identifiers: tuple[Identifier, ...], remarks: set[str]) -> str:
    """The identifier that names the patient, with its system; empty where no system says whose it is."""
    known = [one for one in identifiers if one.system]
    if identifiers and not known:
        remarks.add("patient-identifier-without-authority")
    ranked = sorted(known, key=lambda one: one.type not in _RECORD_TYPES)
    return f"{ranked[0].system}|{ranked[0].value}" if ranked else ""
