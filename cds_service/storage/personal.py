"""Which tables speak of patients, and how they are made to forget: what is old, or one patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Select,
    Table,
    Update,
    and_,
    delete,
    exists,
    false,
    or_,
    select,
    tuple_,
    update,
)

from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Change
from cds_service.storage.overlay import move_overlays
from cds_service.storage.prediction_log import first_id_at
from cds_service.storage.rollups import Part, count_again, keep_counts
from cds_service.storage.tables import (
    audit_head,
    feedback,
    hook_calls,
    identities,
    labels,
    messages,
    patient_events,
    prediction_events,
    prediction_readings,
    predictions,
    rare_cases,
    readings,
    review_marks,
    shadow_scores,
)

# Chosen by us: a batch holds the head of the audit chain, and with it every writer, for some hundredths of a second.
BATCH = 200


Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Personal:
    """A table whose rows are of patients: which of them are older than a moment, which are of one patient.

    The rows are deleted, or only the columns of `blank` are emptied where the rest names nobody.
    """

    table: Table
    old: Callable[[datetime], Condition]
    of: Callable[[Sequence[str]], Condition]
    blank: tuple[str, ...] = ()


def _old_prediction(before: datetime) -> Condition:
    """By the id, which holds the time, so that the index of the primary key finds them."""
    return and_(predictions.c.id < first_id_at(before), predictions.c.created_at < before)


def _unused_identity(before: datetime) -> Condition:
    used = [
        exists().where(table.c.patient_key == identities.c.patient_key)
        for table in (predictions, labels, rare_cases, messages, readings, patient_events)
    ]
    return and_(identities.c.updated_at < before, ~or_(*used))


def _predictions_of(keys: Sequence[str]) -> Select[tuple[UUID]]:
    return select(predictions.c.id).where(predictions.c.patient_key.in_(keys))


def _message_of(keys: Sequence[str]) -> Condition:
    brought = select(readings.c.message_id).where(readings.c.patient_key.in_(keys))
    return or_(messages.c.patient_key.in_(keys), messages.c.id.in_(brought))


def _event_of(keys: Sequence[str]) -> Condition:
    return or_(patient_events.c.patient_key.in_(keys), patient_events.c.other_key.in_(keys))


# In this order: what is found by a patient's predictions goes before them, an identity once nothing refers to it.
PERSONAL = (
    Personal(
        feedback,
        lambda before: feedback.c.received_at < before,
        lambda keys: feedback.c.card.in_(_predictions_of(keys)),
        blank=("key_id", "sealed"),
    ),
    Personal(
        labels,
        lambda before: labels.c.received_at < before,
        lambda keys: or_(labels.c.patient_key.in_(keys), labels.c.prediction_id.in_(_predictions_of(keys))),
        blank=("patient_key", "key_id", "sealed"),
    ),
    # The findings of a rare disease's few cases may tell who they are; what was learned from them goes with them.
    Personal(
        rare_cases,
        lambda before: rare_cases.c.received_at < before,
        lambda keys: or_(rare_cases.c.patient_key.in_(keys), rare_cases.c.prediction_id.in_(_predictions_of(keys))),
    ),
    # A stored reply to a call that made no prediction names no patient; it is of use for a repeat only.
    Personal(hook_calls, lambda before: hook_calls.c.received_at < before, lambda _: false()),
    # A message of several patients goes with any of them: its bytes name them all.
    Personal(messages, lambda before: messages.c.received_at < before, _message_of),
    Personal(readings, lambda before: readings.c.received_at < before, readings.c.patient_key.in_),
    Personal(patient_events, lambda before: patient_events.c.received_at < before, _event_of),
    Personal(
        prediction_events,
        lambda before: prediction_events.c.prediction_id < first_id_at(before),
        lambda keys: prediction_events.c.prediction_id.in_(_predictions_of(keys)),
    ),
    Personal(
        prediction_readings,
        lambda before: prediction_readings.c.prediction_id < first_id_at(before),
        lambda keys: prediction_readings.c.prediction_id.in_(_predictions_of(keys)),
    ),
    Personal(
        shadow_scores,
        lambda before: shadow_scores.c.prediction_id < first_id_at(before),
        lambda keys: shadow_scores.c.prediction_id.in_(_predictions_of(keys)),
    ),
    Personal(
        review_marks,
        lambda before: review_marks.c.prediction_id < first_id_at(before),
        lambda keys: review_marks.c.prediction_id.in_(_predictions_of(keys)),
    ),
    Personal(predictions, _old_prediction, predictions.c.patient_key.in_),
    Personal(identities, _unused_identity, identities.c.patient_key.in_),
)


def forget_old(before: datetime, event: AuditEvent, *, batch: int = BATCH) -> Change[Counter[str]]:
    """Let go of a batch of what is older than the moment: how many rows of each table, none when nothing is left.

    What their days came to stays: counts name nobody.
    """
    found = [(one, one.old(before)) for one in PERSONAL]
    return lambda connection: _forget(connection, found, event, batch, keep_counts)


def forget_patient(patient_keys: Sequence[str], event: AuditEvent, *, batch: int = BATCH) -> Change[Counter[str]]:
    """Let go of a batch of what is held of the patient under any of the keys: how many rows of each table.

    Their days are counted again without them.
    """
    found = [(one, one.of(patient_keys)) for one in PERSONAL]
    return lambda connection: _forget(connection, found, event, batch, _count_again)


def _count_again(connection: Connection, prediction_ids: Sequence[UUID]) -> None:
    count_again(connection, prediction_ids, *Part)


def _forget(
    connection: Connection,
    found: Sequence[tuple[Personal, Condition]],
    event: AuditEvent,
    batch: int,
    counted: Callable[[Connection, Sequence[UUID]], None],
) -> Applied[Counter[str]]:
    counts: Counter[str] = Counter()
    for one, condition in found:
        if one.table is rare_cases:
            move_overlays(connection, condition)
        if one.table is predictions:
            some = select(predictions.c.id).where(condition).order_by(predictions.c.id).limit(batch)
            counted(connection, connection.execute(some).scalars().all())
        gone = connection.execute(_forgetting(one, condition, batch)).rowcount
        if gone:
            counts[one.table.name] = gone
        if gone == batch:
            break  # what is found by what is left of this must wait for it
    if not counts:
        return Applied(counts)
    if counts[identities.name]:
        # Writers that remember what is stored must not take what is gone for stored.
        connection.execute(update(audit_head).values(erasures=audit_head.c.erasures + 1))
    detail = msgspec.json.encode(dict(counts)).decode()
    return Applied(counts, [msgspec.structs.replace(event, detail=detail)])


def _forgetting(one: Personal, condition: Condition, batch: int) -> Update | Delete:
    key = one.table.primary_key.columns
    if one.blank:
        condition = and_(condition, or_(*(one.table.c[name].is_not(None) for name in one.blank)))
    some = tuple_(*key).in_(select(*key).where(condition).order_by(*key).limit(batch))
    if one.blank:
        return update(one.table).where(some).values(dict.fromkeys(one.blank))
    return delete(one.table).where(some)
