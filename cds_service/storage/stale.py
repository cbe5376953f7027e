"""Predictions that do not hold any more, because of what messages say of the readings they rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, case, exists, literal, or_, select

from cds_service.domain.latest import Arrived, overtaken_by
from cds_service.storage.change import Transaction, add_missing
from cds_service.storage.reading_log import MOST_READ, TAKES_BACK, PatientEvent, crossed_from_row
from cds_service.storage.statements import insert_into
from cds_service.storage.tables import patient_events, prediction_events, prediction_readings, readings

# Chosen by us: a null takes back what is older, and no card shows vital signs of yesterday.
_LOOKED_BACK = timedelta(days=1)
# Chosen by us, about 20 ms of the writer's thread: how often a reading is compared with what may take it back.
MOST_COMPARED = 10_000
# Chosen by us, about a tenth of a second: what was taken back, and what was scored, looked at when records are joined.
MOST_CROSSING = 200


def mark_stale(
    transaction: Transaction, taken_back: Iterable[tuple[str, Arrived]], *, environment: str, at: datetime
) -> list[UUID]:
    """Append a "stale" event to every prediction that rests on a value these statements take back or change.

    The value may have come under a record that ever had to do with the patient's. A prediction that has such an event
    already is left as it is: it does not become more so.
    """
    found: list[UUID] = []
    for key, one in taken_back:
        is_meant = _is_meant(one, _records_about(_record(key)), environment)
        own = select(readings.c.prediction_id).where(is_meant, readings.c.prediction_id.is_not(None))
        found += _append(transaction, own.union(_RESTED.where(is_meant)), one.message_id, at)
    return found


def mark_overtaken(transaction: Transaction, message_id: UUID, *, at: datetime) -> list[UUID]:
    """Append a "stale" event to the predictions of a message that came after what takes its readings back."""
    scored = select(readings).where(readings.c.message_id == message_id, _IS_OPEN)
    own: dict[UUID, list[Any]] = {}
    for row in transaction.execute(scored).all():
        own.setdefault(row.prediction_id, []).append(row)
    found: list[UUID] = []
    for prediction_id, rows in own.items():
        by = _overtaken_by(transaction, rows)
        if by is None:
            continue
        event = {"prediction_id": prediction_id, "message_id": by.message_id, "kind": "stale", "at": at}
        if add_missing(transaction, prediction_events, event):
            found.append(prediction_id)
    return found


def _overtaken_by(transaction: Transaction, rows: Sequence[Any]) -> Arrived | None:
    """What takes back any of these readings, which are of one patient and message."""
    since = min((row.taken_at for row in rows if row.taken_at is not None), default=None)
    if since is None:
        return None
    others = (crossed_from_row(row).arrived for row in transaction.execute(_taking_back(rows, since)))
    return overtaken_by([crossed_from_row(row).arrived for row in rows], others)


def _taking_back(rows: Sequence[Any], since: datetime) -> Select[Any]:
    """What the sender of these readings took back of them, or of later ones, in other messages, the newest first."""
    first = rows[0]
    of_each = Counter(row.name for row in rows)
    most = MOST_COMPARED // max(of_each.values())
    return (
        select(readings)
        .where(
            readings.c.patient_key.in_(_records_about(_record(first.patient_key))),
            TAKES_BACK,
            readings.c.environment == first.environment,
            readings.c.sender == first.sender,
            readings.c.name.in_(of_each),
            readings.c.taken_at >= since,
            readings.c.message_id != first.message_id,
        )
        .order_by(readings.c.received_at.desc())
        .limit(max(1, min(MOST_READ, most)))
    )


def mark_regrouped(
    transaction: Transaction, events: Iterable[PatientEvent], *, environment: str, message_id: UUID, at: datetime
) -> list[UUID]:
    """Append a "stale" event to predictions that rest on readings of records that were joined, moved or parted.

    The events are stored already. What was taken back under one of the records may have come under another.
    """
    keys = {key for one in events if one.other_key is not None for key in (one.key, one.other_key)}
    if not keys:
        return []
    is_theirs = and_(readings.c.patient_key.in_(keys), readings.c.environment == environment)
    found = _append(transaction, _RESTED.where(is_theirs), message_id, at)
    for one in _crossing(transaction, environment, message_id):
        found += mark_overtaken(transaction, one, at=at)
    return found


def _crossing(transaction: Transaction, environment: str, message_id: UUID) -> list[UUID]:
    """Messages scored under one of the records this message regroups, of what another of them may take back."""
    regrouped = select(patient_events.c.patient_key.label("key")).where(patient_events.c.message_id == message_id)
    records = _records_about(regrouped)
    said = select(readings).where(
        readings.c.patient_key.in_(records), TAKES_BACK, readings.c.environment == environment
    )
    found: dict[UUID, None] = {}
    for row in transaction.execute(said.order_by(readings.c.received_at.desc()).limit(MOST_CROSSING)).all():
        is_meant = _is_meant(crossed_from_row(row).arrived, records, environment)
        scored = select(readings.c.message_id).where(is_meant, _IS_OPEN, readings.c.patient_key != row.patient_key)
        newest = scored.order_by(readings.c.received_at.desc()).limit(MOST_CROSSING)
        found |= dict.fromkeys(transaction.execute(newest).scalars())
    return list(found)[:MOST_CROSSING]


def _record(key: str) -> Select[Any]:
    return select(literal(key, patient_events.c.patient_key.type).label("key"))


def _records_about(first: Select[Any]) -> Select[Any]:
    """These records and all that went into them or were linked with them, over whatever records in between."""
    event = patient_events.c
    about = first.cte("about", recursive=True)
    other = case((event.patient_key == about.c.key, event.other_key), else_=event.patient_key)
    near = or_(event.patient_key == about.c.key, event.other_key == about.c.key)
    about = about.union(select(other).where(near, event.other_key.is_not(None)))
    return select(about.c.key)


def _is_meant(one: Arrived, records: Select[Any], environment: str) -> ColumnElement[bool]:
    """What a statement takes back in these records: its sender's reading of its moment, or those of a day before."""
    return and_(
        readings.c.patient_key.in_(records),
        readings.c.environment == environment,
        readings.c.name == one.name,
        _is_of_then(one),
        readings.c.sender == one.sender,
        readings.c.message_id != one.message_id,
    )


def _is_of_then(one: Arrived) -> ColumnElement[bool]:
    if not one.is_of_all_before or one.taken_at is None:
        return readings.c.taken_at == one.taken_at
    until = readings.c.taken_at.between(one.taken_at - _LOOKED_BACK, one.taken_at)
    return until if one.change == "clears" else and_(until, readings.c.statement == one.statement)


def _is_marked(prediction_id: ColumnElement[UUID]) -> ColumnElement[bool]:
    return exists().where(prediction_events.c.prediction_id == prediction_id, prediction_events.c.kind == "stale")


# A prediction was made of the reading's message, and is not marked yet.
_IS_OPEN = and_(readings.c.prediction_id.is_not(None), ~_is_marked(readings.c.prediction_id))
# The predictions that cards were made of with stored readings.
_RESTED = select(prediction_readings.c.prediction_id).join(
    readings,
    (prediction_readings.c.message_id == readings.c.message_id) & (prediction_readings.c.number == readings.c.number),
)


def _append(
    transaction: Transaction, predictions: Select[Any] | CompoundSelect[Any], message_id: UUID, at: datetime
) -> list[UUID]:
    """Mark those of the predictions found that are not marked yet, in one statement."""
    found = predictions.subquery()
    event = prediction_events.c
    new = (
        select(
            found.c.prediction_id,
            literal(message_id, event.message_id.type),
            literal("stale", event.kind.type),
            literal(at, event.at.type),
        )
        .distinct()
        .where(~_is_marked(found.c.prediction_id))
    )
    insert = insert_into(prediction_events, transaction.dialect).from_select(event.keys(), new)
    return list(transaction.execute(insert.on_conflict_do_nothing().returning(event.prediction_id)).scalars())
