"""Readings and events of patients as messages bring them: appended, never changed; and what of them is read back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Dialect, and_, literal_column, or_, select
from sqlalchemy.engine.interfaces import DBAPICursor

from cds_service.domain.latest import Arrived
from cds_service.domain.patient import Identity
from cds_service.storage.statements import FindRows, InsertRows, Row
from cds_service.storage.tables import patient_events, readings, utc_text

# Chosen by us: four hours of a monitor that sends eight values a minute, twice over. Beyond it the newest count.
MOST_READ = 4000


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
    """Appends readings and events inside the writer's transaction, and finds of whom any may have been taken back."""

    def __init__(self, dialect: Dialect) -> None:
        self._readings = InsertRows(readings, dialect)
        self._events = InsertRows(patient_events, dialect)
        self._with_history = [
            FindRows(readings, dialect, key=["patient_key"], where=TAKES_BACK),
            FindRows(patient_events, dialect, key=["patient_key"], where=patient_events.c.other_key.is_not(None)),
            FindRows(patient_events, dialect, key=["other_key"]),
        ]

    def append(self, cursor: DBAPICursor, rows: Sequence[Row], events: Sequence[Row]) -> None:
        """Add rows made by `reading_rows` and `event_rows`."""
        self._readings.run(cursor, rows)
        self._events.run(cursor, events)

    def with_history(self, cursor: DBAPICursor, keys: Collection[str]) -> set[str]:
        """Those of the patients of whom a reading was taken back, or whose record was joined with another."""
        asked = [(key,) for key in keys]
        return {key for find in self._with_history for (key,) in find.run(cursor, asked)}


# As the index says it: a database uses that only for what it can see to be the same.
TAKES_BACK = readings.c.change != literal_column("'none'")


def visit_text(system: str, value: str) -> bytes:
    """What is hashed of the number of a visit."""
    return f"visit:{system}|{value}".encode()


def birth_text(day: date) -> bytes:
    """What is hashed of a birth date."""
    return f"birth:{day}".encode()


def reading_rows(message_id: UUID, tenant: str, environment: str, patients: Iterable[PatientEntry]) -> list[Row]:
    """The rows of every reading of a message, in the order of the table's columns."""
    own_id = message_id.hex
    return [
        (
            own_id,
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
            prediction_id,
        )
        for patient in patients
        for prediction_id in (None if patient.prediction_id is None else patient.prediction_id.hex,)
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
    return [crossed_from_row(row) for row in connection.execute(query)]


def crossed_from_row(row: Any) -> Crossed:
    """The reading a whole row holds."""
    values = dict(row._mapping)
    arrived = {name: values[name] for name in Arrived._fields if name not in ("value", "flags")}
    value = None if values["value"] is None else msgspec.json.decode(values["value"])
    return Crossed(
        values["patient_key"],
        Arrived(**arrived, value=float(value) if type(value) is int else value, flags=tuple(values["flags"].split())),
        Whose(values["birth"], values["sex"], values["visit"], values["is_under_way"]),
    )
