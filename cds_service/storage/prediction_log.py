"""Predictions as they are stored: what a use case hands to the writer, and what is read back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from os import urandom
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Dialect, Engine, bindparam, select
from sqlalchemy.engine.interfaces import DBAPICursor

from cds_service.domain.patient import Identity
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.sessions import reading
from cds_service.storage.statements import DriverStatement, Row
from cds_service.storage.tables import predictions, utc_text
from cds_service.storage.token_log import TokenUse


class PredictionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One prediction to be stored, as plain values.

    `hook_instance` is the idempotency key of (tenant, service), None for none; `request_hash` decides whether
    a repeat is the same request. `patient` is None, or has an empty `patient_id`, when nobody was named.
    `snapshot` is JSON without the identity, `outcome` JSON of what was concluded from it. `token` is what the
    caller showed, None for none. `built_on` are the stored readings it rests on: message and number.
    """

    id: UUID
    service: str
    tenant: str
    environment: str
    actor: str
    hook: str
    hook_instance: str | None
    request_hash: bytes
    reply: bytes
    patient: Identity | None
    model_version: str
    site_hash: str
    created_at: datetime
    language: str
    shown: bool
    snapshot: bytes
    outcome: bytes
    token: TokenUse | None = None
    built_on: tuple[tuple[UUID, int], ...] = ()

    def __repr__(self) -> str:
        """Only the id: the rest is about a patient."""
        return f"PredictionEntry(id={self.id})"


class StoredReply(msgspec.Struct, frozen=True):
    """What the caller is answered: its own reply, or the one stored first under the same key (`replayed`)."""

    id: UUID
    reply: bytes
    request_hash: bytes
    replayed: bool

    def __repr__(self) -> str:
        """Without the reply, which is about a patient."""
        return f"StoredReply(id={self.id}, replayed={self.replayed})"


class PredictionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A stored prediction as it is read back; times are in UTC."""

    id: UUID
    service: str
    tenant: str
    environment: str
    hook: str
    hook_instance: str | None
    request_hash: bytes
    reply: bytes
    patient_key: str | None
    model_version: str
    site_hash: str
    created_at: datetime
    language: str
    shown: bool
    snapshot: bytes
    outcome: bytes

    def __repr__(self) -> str:
        """Only the id: the rest is about a patient."""
        return f"PredictionRow(id={self.id})"


def new_prediction_id(at: datetime) -> UUID:
    """A UUID of version 7 (RFC 9562, 5.7): milliseconds, then 74 random bits.

    Ids that grow with time keep the index's new entries on one page, so that a row costs much the same
    among ten as among a million.
    """
    milliseconds = int(at.timestamp() * 1000)
    tail = int.from_bytes(urandom(10), "big")
    return UUID(int=milliseconds << 80 | 0x7 << 76 | (tail >> 62 & 0xFFF) << 64 | 0b10 << 62 | tail & (1 << 62) - 1)


def first_id_at(at: datetime) -> UUID:
    """The smallest id a prediction of this moment could have."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def row_from_entry(entry: PredictionEntry, patient_key: str | None) -> Row:
    """The row in the order of the table's columns, in types every driver takes."""
    return (
        entry.id.hex,
        entry.service,
        entry.tenant,
        entry.environment,
        entry.hook,
        entry.hook_instance,
        entry.request_hash,
        entry.reply,
        patient_key,
        entry.model_version,
        entry.site_hash,
        utc_text(entry.created_at),
        entry.language,
        entry.shown,
        entry.snapshot,
        entry.outcome,
    )


def prediction_event(entry: PredictionEntry, action: str, prediction_id: UUID) -> AuditEvent:
    """The audit event of the prediction: made, or its stored reply given again."""
    detail = {"model": entry.model_version, "site": entry.site_hash, "shown": entry.shown}
    return AuditEvent(
        at=entry.created_at,
        tenant=entry.tenant,
        actor=entry.actor,
        action=action,
        object_type="prediction",
        object_id=str(prediction_id),
        detail=msgspec.json.encode(detail).decode(),
    )


_KEY = ("tenant", "service", "hook_instance")
_FIND = select(predictions.c.id, predictions.c.reply, predictions.c.request_hash).where(
    *(predictions.c[name] == bindparam(name) for name in _KEY)
)


def rested_rows(entry: PredictionEntry) -> list[Row]:
    """The rows that say which stored readings the prediction rests on."""
    return [(entry.id.hex, message_id.hex, number) for message_id, number in entry.built_on]


class FindReply:
    """`find_reply` on the writer's cursor, inside its transaction."""

    def __init__(self, dialect: Dialect) -> None:
        self._statement = DriverStatement(_FIND, _KEY, dialect)

    def run(self, cursor: DBAPICursor, tenant: str, service: str, hook_instance: str) -> StoredReply | None:
        """The reply stored under this idempotency key, None when there is none."""
        self._statement.run(cursor, (tenant, service, hook_instance))
        found = cursor.fetchone()
        return (
            None if found is None else StoredReply(UUID(str(found[0])), bytes(found[1]), bytes(found[2]), replayed=True)
        )


def find_reply(engine: Engine, tenant: str, service: str, hook_instance: str) -> StoredReply | None:
    """The reply stored under this idempotency key, None when there is none."""
    with reading(engine) as connection:
        key = dict(zip(_KEY, (tenant, service, hook_instance), strict=True))
        row = connection.execute(_FIND, key).one_or_none()
    return None if row is None else StoredReply(row.id, row.reply, row.request_hash, replayed=True)


def find_ids(engine: Engine, tenant: str, service: str, keys: Collection[str]) -> dict[str, UUID]:
    """The predictions stored under these idempotency keys, by key."""
    query = select(predictions.c.hook_instance, predictions.c.id).where(
        predictions.c.tenant == tenant, predictions.c.service == service, predictions.c.hook_instance.in_(keys)
    )
    with reading(engine) as connection:
        return {row.hook_instance: row.id for row in connection.execute(query)}


def read_prediction(engine: Engine, prediction_id: UUID, tenant: str) -> PredictionRow | None:
    """The tenant's prediction with this id; None also when it is another tenant's."""
    row = read_any_prediction(engine, prediction_id)
    return row if row is not None and row.tenant == tenant else None


def read_any_prediction(engine: Engine, prediction_id: UUID) -> PredictionRow | None:
    """The prediction with this id, whoever's it is: for commands, which see all tenants."""
    with reading(engine) as connection:
        row = connection.execute(select(predictions).where(predictions.c.id == prediction_id)).one_or_none()
    values: dict[str, Any] | None = None if row is None else dict(row._mapping)
    return None if values is None else PredictionRow(**values)
