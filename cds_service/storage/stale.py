"""Predictions that do not hold any more, because of what messages say of the readings they rest on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, select

from cds_service.domain.latest import Arrived, is_overtaken
from cds_service.storage.change import Transaction, add_missing
from cds_service.storage.reading_log import MOST_READ, TAKES_BACK, PatientEvent, crossed_from_row
from cds_service.storage.tables import prediction_events, prediction_readings, readings

# Chosen by us: a null takes back what is older, and no card shows vital signs of yesterday.
_LOOKED_BACK = timedelta(days=1)


def mark_stale(transaction: Transaction, taken_back: Iterable[tuple[str, Arrived]], *, at: datetime) -> list[UUID]:
    """Append a "stale" event to every prediction that rests on a value these statements take back or change."""
    found: list[UUID] = []
    for key, one in taken_back:
        same = select(readings.c.message_id, readings.c.number, readings.c.prediction_id).where(
            readings.c.patient_key == key,
            readings.c.name == one.name,
            _is_meant(one),
            readings.c.sender == one.sender,
            readings.c.message_id != one.message_id,
        )
        for row in transaction.execute(same).all():
            rested = select(prediction_readings.c.prediction_id).where(
                prediction_readings.c.message_id == row.message_id, prediction_readings.c.number == row.number
            )
            built = [*transaction.execute(rested).scalars(), *([row.prediction_id] if row.prediction_id else [])]
            found += _append(transaction, built, one.message_id, at)
    return found


def mark_overtaken(transaction: Transaction, message_id: UUID, *, at: datetime) -> list[UUID]:
    """Append a "stale" event to the predictions of a message that came after what takes its readings back."""
    scored = select(readings).where(readings.c.message_id == message_id, readings.c.prediction_id.is_not(None))
    own: dict[UUID, list[Any]] = {}
    for row in transaction.execute(scored).all():
        own.setdefault(row.prediction_id, []).append(row)
    found: list[UUID] = []
    for prediction_id, rows in own.items():
        arrived = [crossed_from_row(row).arrived for row in rows]
        others = (crossed_from_row(row).arrived for row in transaction.execute(_taking_back(rows[0])).all())
        by = next((other for other in others if is_overtaken(arrived, other)), None)
        found += [] if by is None else _append(transaction, [prediction_id], by.message_id, at)
    return found


def _taking_back(of: Any) -> Select[Any]:
    """What the sender of this reading ever took back of its patient in other messages, the newest first."""
    return (
        select(readings)
        .where(
            readings.c.patient_key == of.patient_key,
            TAKES_BACK,
            readings.c.environment == of.environment,
            readings.c.sender == of.sender,
            readings.c.message_id != of.message_id,
        )
        .order_by(readings.c.received_at.desc())
        .limit(MOST_READ)
    )


def mark_regrouped(
    transaction: Transaction, events: Iterable[PatientEvent], *, message_id: UUID, at: datetime
) -> list[UUID]:
    """Append a "stale" event to predictions that rest on readings of records that were joined, moved or parted."""
    keys = {key for one in events if one.other_key is not None for key in (one.key, one.other_key)}
    if not keys:
        return []
    is_same = (prediction_readings.c.message_id == readings.c.message_id) & (
        prediction_readings.c.number == readings.c.number
    )
    rested = select(prediction_readings.c.prediction_id).distinct().join(readings, is_same)
    built = transaction.execute(rested.where(readings.c.patient_key.in_(keys))).scalars().all()
    return _append(transaction, built, message_id, at)


def _is_meant(one: Arrived) -> ColumnElement[bool]:
    """What a statement takes back: the reading of its moment; where it is of all before, those of a day."""
    if not one.is_of_all_before or one.taken_at is None:
        return readings.c.taken_at == one.taken_at
    until = readings.c.taken_at.between(one.taken_at - _LOOKED_BACK, one.taken_at)
    return until if one.change == "clears" else and_(until, readings.c.statement == one.statement)


def _append(transaction: Transaction, predictions: Iterable[UUID], message_id: UUID, at: datetime) -> list[UUID]:
    return [
        one
        for one in predictions
        if add_missing(
            transaction,
            prediction_events,
            {"prediction_id": one, "message_id": message_id, "kind": "stale", "at": at},
        )
    ]
