"""HL7 v2 messages as they are stored: the bytes encrypted, what became of them, and how they were acknowledged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

import msgspec
from sqlalchemy import Dialect, bindparam, literal_column, select
from sqlalchemy.engine.interfaces import DBAPICursor

from cds_service.domain.latest import Arrived
from cds_service.domain.patient import Identity
from cds_service.errors import Unavailable
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Change, JointChange, Transaction
from cds_service.storage.identity import IdentityRows, Keyring
from cds_service.storage.message_entry import Brought, MessageEntry, Status, StoredMessage
from cds_service.storage.prediction_log import PredictionEntry, prediction_event, row_from_entry
from cds_service.storage.reading_log import PatientEvent, ReadingLog, event_rows, reading_rows
from cds_service.storage.stale import mark_overtaken, mark_regrouped, mark_stale
from cds_service.storage.statements import DriverStatement, FindRows, InsertRows, Row, driver_cursor
from cds_service.storage.stored_messages import restate
from cds_service.storage.tables import identities, messages, predictions, utc_text

REUSED = "control-id-reused"


# Key, row and fingerprint of an identity; no row where it is known to be stored.
_Named: TypeAlias = tuple[str, Row | None, bytes]


class _Rows(NamedTuple):
    """Everything to be written for one message, made before the writer's thread gets it."""

    entry: MessageEntry
    audited: list[AuditEvent]
    message: Row
    named: list[_Named]
    forgotten: int  # how often what is known had been forgotten then
    identities: list[Identity]
    mentioned: list[Row]
    predictions: list[Row]
    readings: list[Row]
    events: list[Row]
    scored: list[str]  # the keys of patients something was predicted for
    taken_back: list[tuple[str, Arrived]]
    regrouped: Sequence[PatientEvent]


class MessageLog:
    """Makes changes that store a message with what it brought."""

    def __init__(self, dialect: Dialect, keyring: Keyring, identity_rows: IdentityRows) -> None:
        """`identity_rows` is what the writer of these changes knows to be stored."""
        self._keyring = keyring
        self._identity_rows = identity_rows
        self._messages = InsertRows(messages, dialect, key=_KEY)
        self._predictions = InsertRows(predictions, dialect, key=["tenant", "service", "hook_instance"])
        self._identities = InsertRows(identities, dialect, key=["patient_key"], replace=True)
        self._mentioned = InsertRows(identities, dialect, key=["patient_key"])
        self._readings = ReadingLog(dialect)
        self._find = DriverStatement(_FIND, _KEY, dialect)
        self._find_other = DriverStatement(_FIND_OTHER, _KEY, dialect)
        self._known = FindRows(messages, dialect, key=_KEY[:-1])

    def store(self, entry: MessageEntry, brought: Brought) -> Change[StoredMessage]:
        """Store the message and what it brought, or find how the same bytes were acknowledged before."""
        rows = self._rows(entry, brought, "message")

        def alone(transaction: Transaction) -> Applied[StoredMessage]:
            cursor = driver_cursor(transaction)
            row = rows.message
            if entry.control_id and self._came_with_other_bytes(cursor, entry):
                row = (*row[:_REMARKS], " ".join((*entry.remarks, REUSED)), *row[_REMARKS + 1 :])
            if not self._messages.run(cursor, [row]):
                stored = self._stored(cursor, entry)
                return Applied(stored, [entry.event("message-repeat", stored.id, {"status": stored.status})])
            self._write(cursor, [rows])
            return _applied(rows, self._stale(transaction, entry, rows))

        return JointChange(alone, rows, self._store_together)

    def _store_together(
        self, cursor: DBAPICursor, several: Sequence[_Rows]
    ) -> Sequence[Applied[StoredMessage] | None] | None:
        """Store those that are certain to be new and with which nothing is or was taken back; the others alone."""
        keys = [one.entry.key[:-1] for one in several]
        times, known = Counter(keys), self._known.run(cursor, keys)
        with_history = self._readings.with_history(cursor, {key for one in several for key in one.scored})
        is_plain = [
            bool(one.entry.control_id)
            and not one.taken_back
            and not one.regrouped
            and times[key] == 1
            and key not in known
            and with_history.isdisjoint(one.scored)
            for one, key in zip(several, keys, strict=True)
        ]
        plain = [one for one, holds in zip(several, is_plain, strict=True) if holds]
        if self._messages.run(cursor, [one.message for one in plain]) != len(plain):
            return None
        self._write(cursor, plain)
        return [_applied(one) if holds else None for one, holds in zip(several, is_plain, strict=True)]

    def again(self, entry: MessageEntry, brought: Brought, *, was: Status, by: str) -> Change[bool]:
        """Say anew what became of a stored message, with what it brought now; False when it was done meanwhile.

        `by` is who took it up.
        """
        rows = self._rows(entry, brought, "message-again")
        made = {self._key(one) or "": one.id for one in reversed(brought.made)}
        events = [msgspec.structs.replace(rows.audited[0], actor=by), *rows.audited[1:]]

        def change(transaction: Transaction) -> Applied[bool]:
            if not restate(transaction, entry, was=was, prediction_ids=made):
                return Applied(False)
            self._write(driver_cursor(transaction), [rows])
            return Applied(True, [*events, *self._stale(transaction, entry, rows)])

        return change

    @staticmethod
    def _stale(transaction: Transaction, entry: MessageEntry, rows: _Rows) -> list[AuditEvent]:
        """Append to the predictions that rest on what was taken back, and say so."""
        at, environment = entry.received_at, entry.environment
        stale = mark_stale(transaction, rows.taken_back, environment=environment, at=at)
        stale += mark_overtaken(transaction, entry.id, at=at)
        stale += mark_regrouped(transaction, rows.regrouped, environment=environment, message_id=entry.id, at=at)
        return [entry.event("prediction-stale", one, {}, "prediction") for one in stale]

    def _write(self, cursor: DBAPICursor, several: Sequence[_Rows]) -> None:
        """What these messages brought, an identity that several bring once."""
        named = {key: row for one in several for key, row, _ in self._named(one)}
        self._identities.run(cursor, [row for row in named.values() if row is not None])
        self._mentioned.run(cursor, [row for one in several for row in one.mentioned])
        self._predictions.run(cursor, [row for one in several for row in one.predictions])
        self._readings.append(
            cursor, [row for one in several for row in one.readings], [row for one in several for row in one.events]
        )

    def _named(self, rows: _Rows) -> list[_Named]:
        """The identities of a message, made anew where what was known to be stored is not any more."""
        if rows.forgotten == self._identity_rows.forgotten:
            return rows.named
        tenant, at = rows.entry.tenant, rows.entry.received_at
        return [self._identity_rows.row_for(tenant, one, at) for one in rows.identities]

    def _rows(self, entry: MessageEntry, brought: Brought, action: str) -> _Rows:
        tenant, at = entry.tenant, entry.received_at
        named = {one.key: one.identity for one in brought.patients if one.identity.name}
        others = [one.identity for one in brought.patients if not one.identity.name]
        keys = [one.key for one in brought.patients]
        first = brought.made[0].id if brought.made else None
        counts = {"status": entry.status.value, "predictions": len(brought.made)}
        return _Rows(
            entry=entry,
            audited=[
                entry.event(action, entry.id, counts),
                *(prediction_event(one, "predict", one.id) for one in brought.made),
            ],
            message=self._message_row(entry, first, keys[0] if keys else None),
            forgotten=self._identity_rows.forgotten,
            named=[self._identity_rows.row_for(tenant, one, at) for one in named.values()],
            identities=list(named.values()),
            mentioned=[self._identity_row(tenant, one, at) for one in {*others, *brought.mentioned}],
            predictions=[row_from_entry(one, self._key(one)) for one in brought.made],
            readings=reading_rows(entry.id, tenant, entry.environment, brought.patients),
            events=event_rows(tenant, entry.environment, brought.events, message_id=entry.id, at=at),
            scored=[one.key for one in brought.patients if one.prediction_id is not None],
            taken_back=[
                (patient.key, one) for patient in brought.patients for one in patient.arrived if one.change != "none"
            ],
            regrouped=brought.events,
        )

    def _key(self, entry: PredictionEntry) -> str | None:
        patient = entry.patient
        return self._keyring.patient_key(entry.tenant, patient.patient_id) if patient and patient.patient_id else None

    def _identity_row(self, tenant: str, identity: Identity, at: datetime) -> Row:
        _, row, _ = self._identity_rows.row_for(tenant, identity, at)
        if row is None:
            raise Unavailable("an identity was taken for stored", where="identities")
        return row

    def _message_row(self, entry: MessageEntry, prediction_id: UUID | None, patient_key: str | None) -> Row:
        return (
            entry.id.hex,
            *entry.key[:2],
            entry.actor,
            *entry.key[2:],
            entry.type,
            entry.status.value,
            entry.reason,
            " ".join(entry.remarks),
            entry.accept,
            entry.application,
            None if prediction_id is None else prediction_id.hex,
            patient_key,
            utc_text(entry.received_at),
            0,
            self._keyring.key_id,
            self._keyring.seal(f"messages:{entry.id}", entry.raw),
        )

    def _came_with_other_bytes(self, cursor: DBAPICursor, entry: MessageEntry) -> bool:
        self._find_other.run(cursor, entry.key)
        return cursor.fetchone() is not None

    def _stored(self, cursor: DBAPICursor, entry: MessageEntry) -> StoredMessage:
        self._find.run(cursor, entry.key)
        found = cursor.fetchone()
        if found is None:
            raise Unavailable("the message is neither new nor there", where="messages")
        message_id, status, accept, application = found
        return StoredMessage(UUID(str(message_id)), status, _bytes(accept), _bytes(application), True)


_KEY = ("tenant", "environment", "sender", "control_id", "sha256")
_REMARKS = messages.columns.keys().index("remarks")
_SAME = [messages.c[name] == bindparam(name) for name in _KEY]
_FIND = select(*(messages.c[name] for name in ("id", "status", "accept_reply", "application_reply"))).where(*_SAME)
_FIND_OTHER = (
    select(messages.c.id)
    .where(*_SAME[:-1], messages.c.sha256 != bindparam("sha256"))
    .limit(literal_column("1"))
    .offset(literal_column("0"))
)


def _bytes(value: object) -> bytes | None:
    return None if value is None else bytes(value)  # type: ignore[call-overload]


def _applied(rows: _Rows, stale: Sequence[AuditEvent] = ()) -> Applied[StoredMessage]:
    known = [(key, print_) for key, _, print_ in rows.named]
    return Applied(rows.entry.stored, [*rows.audited, *stale], known)
