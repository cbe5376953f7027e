"""HL7 v2 bytes in, one `Message` out, and from it the `PatientSnapshot` of each of its patients.

    message = read_message(raw, site=site.hl7)                    # InvalidMessage when it cannot be taken
    for number in range(len(message.patients)):                   # as a rule one
        snapshot = snapshot_from_message(message, number, at=at, policy=policy, tables=tables)
    reply = acknowledge(message.header, message.faults, …)        # hl7/ack.py; `acknowledge_refusal` for InvalidMessage

`read_message` needs no clock: a message that was stored is read the same whenever it is read. What is of the future
when it comes is refused by `refuse_ahead`. Whether a reading is of now is judged in `snapshot_from_message`
(hl7/snapshot.py), by the rules every sender's readings are judged by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from cds_service.domain.patient import NotUsed
from cds_service.domain.statements import Refusal
from cds_service.errors import InvalidMessage
from cds_service.hl7.events import Effect, require_ours
from cds_service.hl7.header import Header, header_of, without_mark
from cds_service.hl7.message import TIME, VALUE, Account, Change, Fault, Message, Observation, Patient
from cds_service.hl7.observations import Context, read_fact, read_observation
from cds_service.hl7.patients import read_diagnosis, read_merge, read_patient, read_visit, with_details
from cds_service.hl7.site import STANDARD, SiteMap
from cds_service.hl7.snapshot import snapshot_from_message
from cds_service.hl7.times import zone_of
from cds_service.hl7.tokens import Segment, tokenize

__all__ = ["Message", "read_message", "snapshot_from_message"]

# HL7 table 0357, by why a reading is left out. What the sender says of itself (cancelled, withdrawn) is no fault.
_FAULTS: Mapping[NotUsed, int] = MappingProxyType(
    {
        NotUsed.NOT_A_NUMBER: 102,
        NotUsed.COMPARATOR: 102,
        NotUsed.IMPLAUSIBLE: 102,
        NotUsed.NO_TIME: 102,
        NotUsed.MISSING_UNIT: 101,
        NotUsed.UNKNOWN_UNIT: 103,
        NotUsed.UNKNOWN_VALUE: 103,
        NotUsed.CODE_CONFLICT: 103,
    }
)
# Each is assessed by itself; chosen by us, far over what a ward's message holds.
MAX_PATIENTS = 100
_NEEDS_PRIOR = frozenset({Effect.MERGES, Effect.MOVES, Effect.CHANGES_IDENTIFIER})
_NEEDS_TWO = frozenset({Effect.LINKS, Effect.UNLINKS})


def refuse_ahead(message: Message, latest: datetime) -> Message:
    """The message without what is said of a later moment: that is no time, gives no value and takes nothing back."""
    ahead = [one for patient in message.patients for one in patient.observations if _is_ahead(one, latest)]
    if not ahead:
        return message
    patients = tuple(
        replace(patient, observations=[_dated(one, latest) for one in patient.observations])
        for patient in message.patients
    )
    faults = (
        Fault(102, f"{one.segment}-{TIME}", f"{one.name}: future", is_error=False)
        for one in ahead
        if not isinstance(one.value, Refusal) or one.value.reason not in _FAULTS
    )
    return replace(message, patients=patients, faults=(*message.faults, *faults))


def _is_ahead(one: Observation, latest: datetime) -> bool:
    return one.time is not None and one.time > latest


def _dated(one: Observation, latest: datetime) -> Observation:
    if not _is_ahead(one, latest):
        return one
    undated = one._replace(time=None, change=Change.NONE)
    return undated if one.is_unusable else undated._replace(value=Refusal(NotUsed.FUTURE), at_fault=TIME)


def read_message(raw: bytes, *, site: SiteMap = STANDARD) -> Message:
    """What a message says; InvalidMessage, with the place and what to do, when it is not one to take."""
    raw = without_mark(raw)
    header = header_of(raw)
    trigger, effect = require_ours(header, default_version=site.default_version)
    tokens = tokenize(raw, header.syntax, declared=header.charset)
    reading = _Reading(header, effect, site)
    read: Counter[str] = Counter()
    ignored: Counter[str] = Counter()
    for segment in tokens.segments:
        take = _READERS.get(segment.id)
        (ignored if take is None else read)[segment.id] += 1
        if take is not None:
            take(reading, segment)
    if read["OBX"] and not any(patient.observations or patient.facts for patient in reading.patients):
        reading.remarks.add("no-vital-sign-recognised")
    faults = [*_content_faults(reading, effect), *_observation_faults(reading.patients)]
    if tokens.unreadable:
        faults.append(Fault(100, "MSH", f"{tokens.unreadable} lines are no segments", is_error=False))
    return Message(
        header=header,
        trigger=trigger,
        effect=effect,
        patients=tuple(reading.patients),
        account=Account(MappingProxyType(read), MappingProxyType(ignored), tokens.unreadable, reading.unmapped),
        faults=tuple(faults),
        remarks=tuple(sorted(tokens.remarks | reading.remarks)),
    )


class _Reading:
    """Where the reading of one message stands: the patients so far, and the order whose observations follow."""

    def __init__(self, header: Header, effect: Effect, site: SiteMap) -> None:
        self.effect = effect
        self.site = site
        self.sender = site.sender(header.sender)
        self.context = Context(
            site=site,
            zone=zone_of(header.time, self.sender.zone or site.zone),
            unverified_is_final=self.sender.unverified_is_final,
            message_time=header.time,
            standings={},
        )
        self.patients: list[Patient] = []
        self.places: list[str] = []
        self.remarks: set[str] = set()
        self.unmapped = 0

    def begin(self, patient: Patient, place: str) -> None:
        if len(self.patients) == MAX_PATIENTS:
            raise InvalidMessage(f"more than {MAX_PATIENTS} patients; send it in parts", where="PID", code=207)
        self.patients.append(patient)
        self.places.append(place)
        self.context = self.context.within(None)

    @property
    def patient(self) -> Patient:
        """The patient of this place; nobody, where no PID came before."""
        if not self.patients:
            self.begin(Patient(), "PID")
        return self.patients[-1]

    def read_pid(self, pid: Segment) -> None:
        self.begin(read_patient(pid, self.site, self.sender), pid.place)

    def read_mrg(self, mrg: Segment) -> None:
        self.patient.merges.append(read_merge(mrg, self.site, self.sender))

    def read_pv1(self, pv1: Segment) -> None:
        self.patient.visit = read_visit(pv1, self.effect, self.site, self.sender)

    def read_pv2(self, pv2: Segment) -> None:
        visit = self.patient.visit
        if visit is None:
            self.remarks.add("visit-details-without-visit")
        else:
            self.patient.visit = with_details(visit, pv2)

    def read_dg1(self, dg1: Segment) -> None:
        self.patient.diagnoses.append(read_diagnosis(dg1))

    def read_obr(self, obr: Segment) -> None:
        self.context = self.context.within(obr)

    def read_obx(self, obx: Segment) -> None:
        if self.context.order is None and self.effect is Effect.RESULTS:
            self.remarks.add("observation-without-order")
        found = list(read_observation(obx, self.context))
        self.patient.observations += found
        fact = None if found else read_fact(obx, self.context)
        if fact is not None:
            self.patient.facts.append(fact)
        elif not found and obx.field(VALUE):
            self.unmapped += 1

    def pass_by(self, _: Segment) -> None:
        """MSH was read before the rest."""


_READERS: Mapping[str, Callable[[_Reading, Segment], None]] = MappingProxyType(
    {
        "MSH": _Reading.pass_by,
        "PID": _Reading.read_pid,
        "MRG": _Reading.read_mrg,
        "PV1": _Reading.read_pv1,
        "PV2": _Reading.read_pv2,
        "DG1": _Reading.read_dg1,
        "OBR": _Reading.read_obr,
        "OBX": _Reading.read_obx,
    }
)


def _content_faults(reading: _Reading, effect: Effect) -> list[Fault]:
    """What the sender must mend before anything of the message may be used."""
    faults = [
        Fault(101, f"{place}-3", "no identifier says whose data it is")
        for patient, place in zip(reading.patients, reading.places, strict=True)
        if not patient.identifiers
    ]
    if not reading.patients and effect is not Effect.RESULTS:
        faults.append(Fault(100, "PID", "is missing"))
    if effect in _NEEDS_PRIOR and not any(merge.prior for patient in reading.patients for merge in patient.merges):
        faults.append(Fault(101, "MRG-1", "the identifiers known before are missing"))
    if effect in _NEEDS_TWO and len(reading.patients) != 2:
        faults.append(Fault(100, "PID", "this event is about two patients"))
    return faults


def _observation_faults(patients: list[Patient]) -> list[Fault]:
    """A warning for each observation that gives no value through the sender's fault; never a value."""
    return [
        Fault(code, one.place, f"{one.name}: {one.value.reason.value}", is_error=False)
        for patient in patients
        for one in patient.observations
        if isinstance(one.value, Refusal) and (code := _FAULTS.get(one.value.reason)) is not None
    ]
