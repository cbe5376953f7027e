"""What a message brings of its patients, as it is kept: readings, and records or visits that changed hands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from uuid import UUID

from cds_service.domain.latest import Arrived
from cds_service.domain.patient import Identity, NotUsed
from cds_service.domain.statements import Given
from cds_service.domain.text import MAX_SOURCE, bounded
from cds_service.hl7.events import Effect
from cds_service.hl7.message import Change, Fault, Identifier, Merge, Message, Observation, Patient, Visit, VisitStatus
from cds_service.hl7.snapshot import identity_from_message
from cds_service.services.assess_message import Assessed
from cds_service.storage.identity import Keyring
from cds_service.storage.message_entry import Brought
from cds_service.storage.reading_log import PatientEntry, PatientEvent, Whose, birth_text, visit_text

_JOINS = frozenset({Effect.MERGES, Effect.CHANGES_IDENTIFIER})
_VISIT_EVENTS = {
    Effect.DISCHARGES: "ended",
    Effect.CANCELS_ADMISSION: "ended",
    Effect.CANCELS_DISCHARGE: "reopened",
}
_PAIRS = {Effect.LINKS: "linked", Effect.UNLINKS: "parted"}
# A43 moves an identifier with all it names; A44 and A45 move an account or a visit.
_MOVES_ALL = "A43"
_SAYS_NOTHING = frozenset({NotUsed.CANCELLED, NotUsed.NO_VALUE, NotUsed.NOT_FINAL})


def unfollowed(message: Message) -> tuple[Fault, ...]:
    """An error for a move that names no visit: readings are held by patient and visit, not by account."""
    if message.effect is not Effect.MOVES or message.trigger == _MOVES_ALL:
        return ()
    merges = [merge for patient in message.patients for merge in patient.merges]
    if all(merge.prior_visit is not None for merge in merges):
        return ()
    return (Fault(101, "MRG-5", "a move is followed by its visit: send A45 with the number of the visit"),)


def brought_by(
    message: Message, made: Sequence[Assessed], *, tenant: str, keyring: Keyring, message_id: UUID, at: datetime
) -> Brought:
    """The rows a message leaves of its patients; nothing of one whose identifier no system stands behind."""
    scored = {one.entry.hook_instance: one for one in made}
    kept: list[PatientEntry] = []
    counted = 0
    for number, patient in enumerate(message.patients):
        of_patient = scored.get(f"{message_id}:{number}")
        if of_patient is None:
            identity, prediction_id = identity_from_message(patient, at=at), None
        else:
            identity, prediction_id = of_patient.prediction.snapshot.identity, of_patient.entry.id
        arrived = _arrived(message, patient, message_id, at, first=counted)
        counted += len(patient.observations)
        if identity.patient_id:
            key = keyring.patient_key(tenant, identity.patient_id)
            kept.append(PatientEntry(key, identity, _whose(patient, identity, keyring), arrived, prediction_id))
    events, mentioned = _events(message, kept, tenant, keyring)
    return Brought([one.entry for one in made], kept, events, mentioned)


def _whose(patient: Patient, identity: Identity, keyring: Keyring) -> Whose:
    birth = None if identity.birth_date is None else keyring.fingerprint(birth_text(identity.birth_date))
    is_under_way = patient.visit is not None and patient.visit.status is VisitStatus.UNDER_WAY
    return Whose(birth, patient.sex, visit_hash(patient.visit, keyring), is_under_way)


def visit_hash(visit: Visit | None, keyring: Keyring) -> bytes | None:
    """What a visit is known by; None where it has no number."""
    return None if visit is None else _number_hash(visit.number, keyring)


def _number_hash(number: Identifier | None, keyring: Keyring) -> bytes | None:
    return None if number is None else keyring.fingerprint(visit_text(number.system, number.value))


def _arrived(message: Message, patient: Patient, message_id: UUID, at: datetime, *, first: int) -> tuple[Arrived, ...]:
    header = message.header
    sender, said_by = header.sender, f"{header.sending_application} {header.control_id}"
    return tuple(
        _one(one, message_id, number, sender, said_by, at)
        for number, one in enumerate(patient.observations, first)
        if one.change is not Change.NONE or isinstance(one.value, Given) or one.value.reason not in _SAYS_NOTHING
    )


def _one(one: Observation, message_id: UUID, number: int, sender: str, said_by: str, at: datetime) -> Arrived:
    said = one.value
    value, reason, detail, alarming, place = (
        (said.value, None, "", False, one.segment)
        if isinstance(said, Given)
        else (None, said.reason.value, said.detail, said.alarming, one.place)
    )
    return Arrived(
        message_id=message_id,
        number=number,
        sender=sender,
        statement=blake2b("\n".join(one.key).encode(), digest_size=16).digest(),
        name=one.name,
        value=value,
        reason=reason,
        detail=detail,
        alarming=alarming,
        original=one.original,
        change=one.change.value,
        taken_at=one.time,
        received_at=at,
        source=bounded(f"{said_by} {place}", MAX_SOURCE),
        flags=one.flags,
    )


def _events(
    message: Message, kept: Sequence[PatientEntry], tenant: str, keyring: Keyring
) -> tuple[list[PatientEvent], list[Identity]]:
    """What the event of the message does to records and visits, and the identities it names beside its patients."""
    if message.effect in _PAIRS and len(kept) == 2:
        return [PatientEvent(kept[1].key, _PAIRS[message.effect], kept[0].key)], []
    kind = _VISIT_EVENTS.get(message.effect)
    if kind is not None:
        return [PatientEvent(one.key, kind, visit=one.whose.visit) for one in kept], []
    events: list[PatientEvent] = []
    mentioned: list[Identity] = []
    is_join = message.effect in _JOINS or message.trigger == _MOVES_ALL
    for patient, entry in _paired(message, kept):
        for merge in patient.merges if is_join or message.effect is Effect.MOVES else ():
            visit = None if is_join else _number_hash(merge.prior_visit, keyring)
            for prior in _priors(merge):
                key = keyring.patient_key(tenant, prior.patient_id)
                events.append(PatientEvent(key, "merged" if is_join else "moved", entry.key, visit))
                mentioned.append(prior)
    return events, mentioned


def _paired(message: Message, kept: Sequence[PatientEntry]) -> list[tuple[Patient, PatientEntry]]:
    """Each patient with its row; those nobody stands behind have none."""
    named = [one for one in message.patients if any(identifier.system for identifier in one.identifiers)]
    return list(zip(named, kept, strict=True))


def _priors(merge: Merge) -> list[Identity]:
    return [Identity(patient_id=f"{one.system}|{one.value}") for one in merge.prior if one.system]
