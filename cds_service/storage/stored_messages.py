"""Stored messages read back, and what became of one said anew: scored later, or replayed by an operator."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, case, func, select, update

from cds_service.errors import NotFound
from cds_service.storage.change import Applied, Change, Transaction
from cds_service.storage.identity import Keyring, unsealed
from cds_service.storage.message_entry import MessageEntry, Status
from cds_service.storage.sessions import reading
from cds_service.storage.tables import messages, readings

# What was taken, whether or not it could be scored at once.
TAKEN = (Status.ACCEPTED.value, Status.PENDING.value)


class MessageRow(msgspec.Struct, frozen=True, kw_only=True):
    """A stored message without its bytes."""

    id: UUID
    tenant: str
    environment: str
    actor: str
    sender: str
    control_id: str
    type: str
    status: str
    reason: str
    remarks: str
    prediction_id: UUID | None
    received_at: datetime
    attempts: int

    def __repr__(self) -> str:
        """Only the id: control ids and senders may name a patient."""
        return f"MessageRow(id={self.id})"


class WholeMessage(msgspec.Struct, frozen=True):
    """A stored message with its bytes and the acknowledgments it got."""

    row: MessageRow
    raw: bytes
    replies: tuple[bytes, ...]

    def __repr__(self) -> str:
        """Only the id."""
        return f"WholeMessage(id={self.row.id})"


_COLUMNS = [messages.c[name] for name in MessageRow.__struct_fields__]


def list_messages(
    engine: Engine,
    *,
    statuses: Sequence[str] = (),
    tenant: str = "",
    limit: int = 50,
    attempts_under: int | None = None,
) -> list[MessageRow]:
    """Messages of these statuses, the newest first; the oldest first where `attempts_under` asks for work to do."""
    query = select(*_COLUMNS).limit(limit)
    query = query.order_by(messages.c.id.desc() if attempts_under is None else messages.c.id)
    if statuses:
        query = query.where(messages.c.status.in_(statuses))
    if tenant:
        query = query.where(messages.c.tenant == tenant)
    if attempts_under is not None:
        query = query.where(messages.c.attempts < attempts_under, messages.c.sealed.is_not(None))
    with reading(engine) as connection:
        return [MessageRow(**row._mapping) for row in connection.execute(query)]


def count_pending(engine: Engine) -> int:
    """How many messages wait to be scored."""
    query = select(func.count()).where(messages.c.status == Status.PENDING.value)
    with reading(engine) as connection:
        return connection.execute(query).scalar_one()


def last_heard(engine: Engine, key: tuple[str, str], since: datetime) -> datetime | None:
    """When a sender (who it was authenticated as, MSH-3 and MSH-4) last sent since then, to whichever process."""
    peer, sender = key
    query = select(func.max(messages.c.received_at)).where(messages.c.received_at >= since, messages.c.sender == sender)
    with reading(engine) as connection:
        found: datetime | None = connection.execute(query.where(messages.c.actor == peer) if peer else query).scalar()
    return found


def has_sent(engine: Engine, tenant: str, environment: str, sender: str) -> bool:
    """Whether the tenant ever had a message of this sender."""
    query = select(messages.c.id).filter_by(tenant=tenant, environment=environment, sender=sender).limit(1)
    with reading(engine) as connection:
        return connection.execute(query).first() is not None


class SenderRow(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one sender of late."""

    tenant: str
    environment: str
    actor: str
    sender: str
    last: datetime
    messages: int
    refused: int
    pending: int


def list_senders(engine: Engine, since: datetime) -> list[SenderRow]:
    """Every sender heard since then, the one heard last first."""
    whose = [messages.c[name] for name in ("tenant", "environment", "actor", "sender")]
    of = {name: func.count(case((messages.c.status == name, 1))).label(name) for name in ("refused", "pending")}
    last = func.max(messages.c.received_at).label("last")
    query = select(*whose, last, func.count().label("messages"), *of.values())
    query = query.where(messages.c.received_at >= since).group_by(*whose).order_by(last.desc())
    with reading(engine) as connection:
        return [SenderRow(**row._mapping) for row in connection.execute(query)]


def read_whole(engine: Engine, keyring: Keyring, message_id: UUID) -> WholeMessage:
    """The message of this id with its bytes; the caller records the read. NotFound when either is not there."""
    more = [messages.c[name] for name in ("accept_reply", "application_reply", "key_id", "sealed")]
    with reading(engine) as connection:
        row = connection.execute(select(*_COLUMNS, *more).where(messages.c.id == message_id)).one_or_none()
    if row is None:
        raise NotFound("there is no message of this id", where=str(message_id))
    if row.sealed is None:
        raise NotFound("its bytes were let go after CDS_MESSAGE_RETENTION_DAYS", where=str(message_id))
    raw = unsealed(keyring, f"messages:{row.id}", row.sealed, key_id=row.key_id, where="messages")
    replies = tuple(bytes(one) for one in (row.accept_reply, row.application_reply) if one is not None)
    values = {name: row._mapping[name] for name in MessageRow.__struct_fields__}
    return WholeMessage(MessageRow(**values), raw, replies)


def newest_of(
    connection: Connection, keyring: Keyring, *, tenant: str, environment: str, keys: Collection[str], limit: int
) -> list[tuple[str, bytes]]:
    """Patient key and bytes of the newest messages taken of these patients, as far as their bytes are kept."""
    query = (
        select(messages.c.id, messages.c.patient_key, messages.c.key_id, messages.c.sealed)
        .where(messages.c.patient_key.in_(keys), messages.c.tenant == tenant, messages.c.environment == environment)
        .where(messages.c.status.in_(TAKEN), messages.c.sealed.is_not(None))
        .order_by(messages.c.id.desc())
        .limit(limit)
    )
    return [
        (row.patient_key, unsealed(keyring, f"messages:{row.id}", row.sealed, key_id=row.key_id, where="messages"))
        for row in connection.execute(query)
    ]


def restate(transaction: Transaction, entry: MessageEntry, *, was: Status, prediction_ids: dict[str, UUID]) -> bool:
    """Say anew what became of a message that was pending or refused; False when somebody else did meanwhile.

    A pending message keeps the acknowledgments it got; one that was refused gets those of the replay.
    `prediction_ids` are the predictions made now, by patient key.
    """
    values: dict[str, Any] = {"status": entry.status.value, "reason": entry.reason}
    if was is Status.REFUSED:
        values |= {"accept_reply": entry.accept, "application_reply": entry.application}
    if prediction_ids:
        key, first = next(iter(prediction_ids.items()))
        values |= {"prediction_id": first, "patient_key": key or None}
    is_same = (messages.c.id == entry.id) & (messages.c.status == was.value)
    changed = transaction.execute(update(messages).where(is_same).values(values).returning(messages.c.id)).first()
    if changed is None:
        return False
    for key, prediction_id in prediction_ids.items():
        mine = (readings.c.message_id == entry.id) & (readings.c.patient_key == key)
        transaction.execute(update(readings).where(mine).values(prediction_id=prediction_id))
    return True


def count_attempt(message_id: UUID) -> Change[None]:
    """Note that scoring the message failed once more."""

    def change(transaction: Transaction) -> Applied[None]:
        more = update(messages).where(messages.c.id == message_id).values(attempts=messages.c.attempts + 1)
        transaction.execute(more)
        return Applied(None)

    return change
