"""Final diagnoses of HL7 v2 messages (DG1): labels of patients something was predicted for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, time
from typing import TypeVar

from cds_service.domain.feedback import AHEAD_TOLERANCE
from cds_service.domain.label import Kind, Label, Source, is_understood
from cds_service.hl7.message import Message, Patient, SentDiagnosis
from cds_service.hl7.site import SiteMap
from cds_service.hl7.snapshot import identity_from_message
from cds_service.hl7.times import moment_of
from cds_service.services.enter_label import enter_label, label_id
from cds_service.services.patient_labels import OLDEST, says_more
from cds_service.services.received import Received
from cds_service.storage.change import Applied, Change, Transaction
from cds_service.storage.subjects import predicted_keys

T = TypeVar("T")

# HL7 table 0052: admitting (A) and working (W) diagnoses are none yet.
_FINAL = "F"


def with_labels(
    store: Change[T], message: Message, received: Received, site: SiteMap, *, is_new: Callable[[T], bool]
) -> tuple[Change[T], list[Label]]:
    """The change that stores a message and enters its final diagnoses where it was new, and what it will have entered.

    Nothing is entered of a patient for whom nothing was predicted: there is nothing to learn from.
    """
    entered: list[Label] = []
    if not any(_final(message, patient, received.at, site) for patient in message.patients):
        return store, entered

    def change(transaction: Transaction) -> Applied[T]:
        applied = store(transaction)
        entered.clear()
        if not is_new(applied.result):
            return applied
        events = list(applied.events)
        for patient in message.patients:
            for label in _labels(transaction, message, patient, received, site):
                if says_more(transaction, label):
                    added, audited = enter_label(transaction, label, received)
                    events += audited
                    entered.extend([added] if audited else [])
        return replace(applied, events=events)

    return change, entered


def _labels(
    transaction: Transaction, message: Message, patient: Patient, received: Received, site: SiteMap
) -> Iterator[Label]:
    final = _final(message, patient, received.at, site)
    named = identity_from_message(patient, at=received.at).patient_id
    if not final or not named:
        return
    actor = received.actor
    known = received.keyring.patient_key(actor.tenant, named)
    keys = predicted_keys(transaction, actor.tenant, actor.environment, known)
    said_at = _said_at(message, received.at, site)
    for sent, coding in final:
        for key in keys:
            yield _label(sent, coding, key, received, said_at=said_at, site=site)


def _final(
    message: Message, patient: Patient, at: datetime, site: SiteMap
) -> list[tuple[SentDiagnosis, tuple[str, str]]]:
    """The final diagnoses of a patient that are recent or deleted, each with its first code that is understood."""
    final = [sent for sent in patient.diagnoses if sent.type == _FINAL]
    if not final:
        return []
    said_at = _said_at(message, at, site)
    found = [
        (sent, next((pair for pair in sent.codings if is_understood(*pair)), None))
        for sent in final
        if sent.is_deleted or said_at - _observed_at(sent, said_at, site) <= OLDEST
    ]
    return [(sent, coding) for sent, coding in found if coding is not None]


def _label(
    sent: SentDiagnosis,
    coding: tuple[str, str],
    key: str,
    received: Received,
    *,
    said_at: datetime,
    site: SiteMap,
) -> Label:
    system, code = coding
    kind = Kind.WITHDRAWAL if sent.is_deleted else Kind.LABEL
    thread = label_id(received, "dg1-thread", key, system, code)
    return Label(
        id=label_id(received, "dg1", str(thread), kind.value, said_at.isoformat(), sent.clinician),
        kind=kind,
        thread=f"{Source.DG1.value}:{thread}",
        source=Source.DG1,
        **received.caller,
        author=sent.clinician,
        observed_at=_observed_at(sent, said_at, site),
        stands_at=said_at,
        saw_prediction="unknown",
        patient_key=key,
        code_system=system,
        code=code,
    )


def _said_at(message: Message, now: datetime, site: SiteMap) -> datetime:
    """The message's own time, so that messages may come in any order; now where it gives none, or a later one."""
    header = message.header
    said = moment_of(header.time, site.sender(header.sender).zone or site.zone)
    return said.time if said is not None and said.time <= now + AHEAD_TOLERANCE else now


def _observed_at(sent: SentDiagnosis, said_at: datetime, site: SiteMap) -> datetime:
    """The end of the day of the diagnosis (DG1-5), no later than it was said: one of an earlier visit stays there."""
    if sent.day is None:
        return said_at
    return min(said_at, datetime.combine(sent.day, time.max, site.zone))
