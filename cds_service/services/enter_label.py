"""The one way into the ledger of labels: an event is held against the rules, then added."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import msgspec

from cds_service.domain.label import Label, Source, current_labels
from cds_service.domain.quarantine import Circumstances, quarantine_reason
from cds_service.services.learn_cases import settle_cases
from cds_service.services.received import Received
from cds_service.services.stored import outcome_from_bytes
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Transaction
from cds_service.storage.label_ledger import Counts, add_label, count_before, find_label, find_same, labels_about
from cds_service.storage.subjects import Subject

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
# The rows of a file are not counted: the rules against floods do not ask, and each count would read all before it.
_NONE = Counts(0, 0, 0)


def enter_label(
    transaction: Transaction,
    label: Label,
    received: Received,
    *,
    subject: Subject | None = None,
    comment: str = "",
    moves_too_much: bool = False,
) -> tuple[Label, tuple[AuditEvent, ...]]:
    """The event as the ledger holds it, and what to audit: nothing when the same event was there before.

    `subject` is the prediction it is about, None where it is about a patient only. What is learned of rare diseases
    follows at once.
    """
    stored = find_label(transaction, label.tenant, label.id) or find_same(transaction, label, comment, received.keyring)
    if stored is not None:
        return stored, ()
    known = replace(_circumstances(transaction, label, subject), moves_too_much=moves_too_much)
    judged = replace(label, quarantine=quarantine_reason(label, known, received.policy))
    added = add_label(transaction, judged, comment, received.keyring)
    detail = msgspec.json.encode({"source": added.source.value, "quarantine": added.quarantine}).decode()
    entered = received.event(added.kind.value, "label", added.id, detail)
    return added, (entered, *settle_cases(transaction, added, received))


def label_id(received: Received, *content: object) -> UUID:
    """The id that follows from the content: keyed, so that it tells nothing of a comment."""
    return UUID(bytes=received.keyring.fingerprint(msgspec.json.encode([received.actor.tenant, *content])))


def _count_before(transaction: Transaction, label: Label) -> Counts:
    return count_before(transaction, label, day=label.received_at - _DAY, minute=label.received_at - _MINUTE)


def _circumstances(transaction: Transaction, label: Label, subject: Subject | None) -> Circumstances:
    counts = _NONE if label.source is Source.IMPORT else _count_before(transaction, label)
    refers_to = label.refers_to
    about = labels_about(transaction, label.tenant, label.prediction_id, label.patient_key)
    concluded = None if subject is None else outcome_from_bytes(subject.outcome)
    news2 = None if concluded is None else concluded.news2
    return Circumstances(
        author_today=counts.author_today,
        sender_today=counts.sender_today,
        author_last_minute=counts.author_last_minute,
        referred=None if refers_to is None else find_label(transaction, label.tenant, refers_to),
        standing=current_labels(about, label.received_at),
        news2=None if news2 is None else news2.lower,
        predicted_at=None if subject is None else subject.created_at,
    )
