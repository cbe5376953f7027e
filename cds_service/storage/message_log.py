"""HL7 v2 messages as they are stored: the bytes encrypted, what became of them, and how they were acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Dialect, bindparam, literal_column, select
from sqlalchemy.engine.interfaces import DBAPICursor

from cds_service.errors import Unavailable
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Change, Transaction
from cds_service.storage.identity import IdentityRows, Keyring
from cds_service.storage.prediction_log import PredictionEntry, prediction_event, row_from_entry
from cds_service.storage.statements import DriverStatement, InsertRows, Row, driver_cursor
from cds_service.storage.tables import identities, messages, predictions, utc_text

REUSED = "control-id-reused"


class Status(StrEnum):
    """What became of a message."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    PENDING = "pending"  # acknowledged, and scored later
    IGNORED = "ignored"  # acknowledged, and nothing in it is for us


class MessageEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One message to be stored. `accept` and `application` are its acknowledgments, None where none is sent."""

    id: UUID
    tenant: str
    environment: str
    actor: str
    sender: str
    control_id: str
    sha256: bytes
    type: str
    status: Status
    received_at: datetime
    raw: bytes
    reason: str = ""
    remarks: tuple[str, ...] = ()
    accept: bytes | None = None
    application: bytes | None = None

    def __repr__(self) -> str:
        """Only the id: the rest is about a patient."""
        return f"MessageEntry(id={self.id})"


class StoredMessage(NamedTuple):
    """How a message is acknowledged: as it is now, or as it was when the same bytes came first (`repeated`)."""

    id: UUID
    status: str
    accept: bytes | None
    application: bytes | None
    repeated: bool


class MessageLog:
    """Makes changes that store a message with its predictions; rows are made by the caller, not the writer's thread."""

    def __init__(self, dialect: Dialect, keyring: Keyring) -> None:
        self._keyring = keyring
        self._identity_rows = IdentityRows(keyring)
        self._messages = InsertRows(messages, dialect, key=_KEY)
        self._predictions = InsertRows(predictions, dialect, key=["tenant", "service", "hook_instance"])
        self._identities = InsertRows(identities, dialect, key=["patient_key"], replace=True)
        self._find = DriverStatement(_FIND, _KEY, dialect)
        self._find_other = DriverStatement(_FIND_OTHER, _KEY, dialect)

    def store(self, entry: MessageEntry, made: Sequence[PredictionEntry] = ()) -> Change[StoredMessage]:
        """Store the message and what was made of it, or find how the same bytes were acknowledged before."""
        rows, sealed = self._prediction_rows(made)
        remarks = entry.remarks
        row = self._row(entry, made[0].id if made else None, rows[0][_PATIENT_KEY] if rows else None)
        counts = {"status": entry.status.value, "predictions": len(made)}
        events = [
            _event(entry, "message", entry.id, counts),
            *(prediction_event(one, "predict", one.id) for one in made),
        ]

        def change(transaction: Transaction) -> Applied[StoredMessage]:
            cursor = driver_cursor(transaction)
            is_reused = bool(entry.control_id) and self._came_with_other_bytes(cursor, entry)
            marked = (*remarks, REUSED) if is_reused else remarks
            if not self._messages.run(cursor, [(*row[:_REMARKS], " ".join(marked), *row[_REMARKS + 1 :])]):
                stored = self._stored(cursor, entry)
                return Applied(stored, [_event(entry, "message-repeat", stored.id, {"status": stored.status})])
            if sealed:
                self._identities.run(cursor, list(sealed.values()))
            if rows:
                self._predictions.run(cursor, rows)
            return Applied(StoredMessage(entry.id, entry.status, entry.accept, entry.application, False), events)

        return change

    def _row(self, entry: MessageEntry, prediction_id: UUID | None, patient_key: str | None) -> Row:
        return (
            entry.id.hex,
            *_key_of(entry)[:2],
            entry.actor,
            *_key_of(entry)[2:],
            entry.type,
            entry.status.value,
            entry.reason,
            "",
            entry.accept,
            entry.application,
            None if prediction_id is None else prediction_id.hex,
            patient_key,
            utc_text(entry.received_at),
            0,
            self._keyring.key_id,
            self._keyring.seal(f"messages:{entry.id}", entry.raw),
        )

    def _prediction_rows(self, made: Sequence[PredictionEntry]) -> tuple[list[Row], dict[str, Row]]:
        """The rows of the predictions, and of their patients' identities by key."""
        rows: list[Row] = []
        sealed: dict[str, Row] = {}
        for one in made:
            key = None
            if one.patient is not None and one.patient.patient_id:
                key, identity, _ = self._identity_rows.row_for(one.tenant, one.patient, one.created_at)
                if identity is not None:
                    sealed[key] = identity
            rows.append(row_from_entry(one, key))
        return rows, sealed

    def _came_with_other_bytes(self, cursor: DBAPICursor, entry: MessageEntry) -> bool:
        self._find_other.run(cursor, _key_of(entry))
        return cursor.fetchone() is not None

    def _stored(self, cursor: DBAPICursor, entry: MessageEntry) -> StoredMessage:
        self._find.run(cursor, _key_of(entry))
        found = cursor.fetchone()
        if found is None:
            raise Unavailable("the message is neither new nor there", where="messages")
        message_id, status, accept, application = found
        return StoredMessage(UUID(str(message_id)), status, _bytes(accept), _bytes(application), True)


_KEY = ("tenant", "environment", "sender", "control_id", "sha256")
_PATIENT_KEY = predictions.columns.keys().index("patient_key")
_REMARKS = messages.columns.keys().index("remarks")
_SAME = [messages.c[name] == bindparam(name) for name in _KEY]
_FIND = select(*(messages.c[name] for name in ("id", "status", "accept_reply", "application_reply"))).where(*_SAME)
_FIND_OTHER = (
    select(messages.c.id)
    .where(*_SAME[:-1], messages.c.sha256 != bindparam("sha256"))
    .limit(literal_column("1"))
    .offset(literal_column("0"))
)


def _key_of(entry: MessageEntry) -> Row:
    return entry.tenant, entry.environment, entry.sender, entry.control_id, entry.sha256


def _bytes(value: object) -> bytes | None:
    return None if value is None else bytes(value)  # type: ignore[call-overload]


def _event(entry: MessageEntry, action: str, message_id: UUID, detail: dict[str, str | int]) -> AuditEvent:
    return AuditEvent(
        at=entry.received_at,
        tenant=entry.tenant,
        actor=entry.actor,
        action=action,
        object_type="message",
        object_id=str(message_id),
        detail=msgspec.json.encode(detail).decode(),
    )
