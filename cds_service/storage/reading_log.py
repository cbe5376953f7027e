"""Readings and events of patients as messages bring them: appended, never changed; and what of them is read back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Dialect, and_, func, or_, select
from sqlalchemy.engine.interfaces import DBAPICursor

from cds_service.domain.latest import Arrived
from cds_service.domain.patient import Identity
from cds_service.storage.change import Transaction, add_missing
from cds_service.storage.statements import InsertRows, Row
from cds_service.storage.tables import (
    patient_events,
    prediction_events,
    prediction_readings,
    readings,
    utc_text,
)

# Chosen by us: four hours of a monitor that sends eight values a minute, twice over. Beyond it the newest count.
MOST_READ = 4000
# Chosen by us: a null takes back what is older, and no card shows vital signs of yesterday.
_LOOKED_BACK = timedelta(days=1)


class Whose(NamedTuple):
    """What must agree before a reading is shown to another sender's patient: keyed hashes, and the sex."""

    birth: bytes | None
    sex: str | None
    visit: bytes | None
    is_under_way: bool


class PatientEvent(NamedTuple):
    """A record that went into another (`merged`, `moved` for one visit), is `linked`, was `parted`, or a visit's end.

    `key` is the patient whose record or visit it was, `other_key` where it went; `at` is when the message came.
    """

    key: str
    kind: str
    other_key: str | None = None
    visit: bytes | None = None
    at: datetime | None = None


class PatientEntry(NamedTuple):
    """What one message says of one of its patients."""

    key: str
    identity: Identity
    whose: Whose
    arrived: Sequence[Arrived] = ()
    prediction_id: UUID | None = None


class Crossed(NamedTuple):
    """A reading as it arrived, whose it was, and under which key it is held."""

    key: str
    arrived: Arrived
    whose: Whose


class ReadingLog:
    """Appends readings and events inside the writer's transaction, and marks what rested on a value taken back."""

    def __init__(self, dialect: Dialect) -> None:
        self._readings = InsertRows(readings, dialect)
        self._events = InsertRows(patient_events, dialect)

    def append(self, cursor: DBAPICursor, rows: Sequence[Row], events: Sequence[Row]) -> None:
        """Add rows made by `reading_rows` and `event_rows`."""
        self._readings.run(cursor, rows)
        self._events.run(cursor, events)


def birth_text(day: date) -> bytes:
    """What is hashed of a birth date."""
    return f"birth:{day}".encode()


def reading_rows(tenant: str, environment: str, patients: Iterable[PatientEntry]) -> list[Row]:
    """The rows of every reading of a message, in the order of the table's columns."""
    return [
        (
            one.message_id.hex,
            one.number,
            tenant,
            environment,
            patient.key,
            one.sender,
            one.statement,
            one.name,
            None if one.value is None else msgspec.json.encode(one.value).decode(),
            one.reason,
            one.detail,
            one.alarming,
            one.original,
            one.change,
            None if one.taken_at is None else utc_text(one.taken_at),
            utc_text(one.received_at),
            one.source,
            " ".join(one.flags),
            *patient.whose,
            None if patient.prediction_id is None else patient.prediction_id.hex,
        )
        for patient in patients
        for one in patient.arrived
    ]


def event_rows(
    tenant: str, environment: str, events: Sequence[PatientEvent], *, message_id: UUID, at: datetime
) -> list[Row]:
    """The rows of the events of one message."""
    return [
        (message_id.hex, number, tenant, environment, one.key, one.kind, one.other_key, one.visit, utc_text(at))
        for number, one in enumerate(events)
    ]


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


def stale_since(connection: Connection, prediction_id: UUID) -> datetime | None:
    """When a value the prediction rests on was first taken back, None while all stand."""
    query = select(func.min(prediction_events.c.at)).where(prediction_events.c.prediction_id == prediction_id)
    found: datetime | None = connection.execute(query).scalar()
    return found


def read_events(connection: Connection, tenant: str, environment: str, keys: Collection[str]) -> list[PatientEvent]:
    """Events of these patients and of records that went into theirs, in the order they arrived."""
    mine = or_(patient_events.c.patient_key.in_(keys), patient_events.c.other_key.in_(keys))
    query = (
        select(patient_events)
        .where(patient_events.c.tenant == tenant, patient_events.c.environment == environment, mine)
        .order_by(patient_events.c.received_at, patient_events.c.message_id, patient_events.c.number)
    )
    return [
        PatientEvent(row.patient_key, row.kind, row.other_key, row.visit, row.received_at)
        for row in connection.execute(query)
    ]


def read_readings(
    connection: Connection, tenant: str, environment: str, keys: Collection[str], *, since: dict[str, datetime]
) -> list[Crossed]:
    """What arrived of these patients, each vital sign from its own moment on; `""` stands for all others."""
    slow = [name for name in since if name]
    recent = readings.c.taken_at >= since[""]
    older = [and_(readings.c.name == name, readings.c.taken_at >= since[name]) for name in slow]
    query = (
        select(readings)
        .where(
            readings.c.patient_key.in_(keys),
            readings.c.tenant == tenant,
            readings.c.environment == environment,
            or_(recent, *older),
        )
        .order_by(readings.c.taken_at.desc())
        .limit(MOST_READ)
    )
    return [_crossed(row) for row in connection.execute(query)]


def _crossed(row: Any) -> Crossed:
    values = dict(row._mapping)
    arrived = {name: values[name] for name in Arrived._fields if name not in ("value", "flags")}
    value = None if values["value"] is None else msgspec.json.decode(values["value"])
    return Crossed(
        values["patient_key"],
        Arrived(**arrived, value=float(value) if type(value) is int else value, flags=tuple(values["flags"].split())),
        Whose(values["birth"], values["sex"], values["visit"], values["is_under_way"]),
    )
