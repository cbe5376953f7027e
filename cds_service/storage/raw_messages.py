"""The bytes of HL7 v2 messages while they are kept: opened, emptied when they are old, deleted with their message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Delete, Engine, Update, delete, select, update

from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Change
from cds_service.storage.identity import Keyring, unsealed
from cds_service.storage.personal import BATCH
from cds_service.storage.sessions import reading
from cds_service.storage.tables import messages

# Not "is not null": SQLite finds a range in an index, so that what was emptied long ago is never looked at.
_IS_KEPT = messages.c.key_id > ""


def kept_messages(engine: Engine, keyring: Keyring, tenant: str, *, batch: int = BATCH) -> Iterator[tuple[UUID, bytes]]:
    """Id and bytes of every message of the tenant that is still kept, the oldest first."""
    query = select(messages.c.id, messages.c.key_id, messages.c.sealed)
    query = query.where(messages.c.tenant == tenant, _IS_KEPT).order_by(messages.c.id).limit(batch)
    last = UUID(int=0)
    while True:
        with reading(engine) as connection:
            rows = connection.execute(query.where(messages.c.id > last)).all()
        if not rows:
            return
        for row in rows:
            last = row.id
            yield row.id, unsealed(keyring, f"messages:{row.id}", row.sealed, key_id=row.key_id, where="messages")


def empty_old(before: datetime, event: AuditEvent, *, batch: int = BATCH) -> Change[Counter[str]]:
    """Let go of the bytes of a batch of messages that came before the moment; how each was acknowledged stays."""
    old = select(messages.c.id).where(messages.c.received_at < before, _IS_KEPT)
    some = old.order_by(messages.c.key_id, messages.c.received_at).limit(batch)
    return _counted(update(messages).where(messages.c.id.in_(some)).values(key_id=None, sealed=None), event)


def delete_messages(ids: Sequence[UUID], event: AuditEvent) -> Change[Counter[str]]:
    """Delete these messages: how many, none when they are gone already."""
    return _counted(delete(messages).where(messages.c.id.in_(ids)), event)


def _counted(statement: Update | Delete, event: AuditEvent) -> Change[Counter[str]]:
    name = "messages" if isinstance(statement, Delete) else "bytes of messages"

    def change(connection: Connection) -> Applied[Counter[str]]:
        count = connection.execute(statement).rowcount
        if not count:
            return Applied(Counter())
        detail = msgspec.json.encode({name: count}).decode()
        return Applied(Counter({name: count}), [msgspec.structs.replace(event, detail=detail)])

    return change
