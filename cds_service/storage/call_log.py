"""Hook calls that make no prediction, so that a repeat gets the reply of the first."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from cds_service.errors import Conflict
from cds_service.storage.change import Transaction, add_missing
from cds_service.storage.tables import hook_calls


def note_call(
    transaction: Transaction, key: tuple[str, str, str], *, request_hash: bytes, reply: bytes, at: datetime
) -> bytes | None:
    """None when the call under this (tenant, service, hookInstance) is new and noted now, else the reply it got.

    Conflict when the key came with another request.
    """
    named = dict(zip(("tenant", "service", "hook_instance"), key, strict=True))
    if add_missing(transaction, hook_calls, {**named, "request_hash": request_hash, "reply": reply, "received_at": at}):
        return None
    query = select(hook_calls.c.request_hash, hook_calls.c.reply).filter_by(**named)
    stored = transaction.execute(query).one()
    if stored.request_hash != request_hash:
        raise Conflict("this hookInstance came before with other content", where="hookInstance")
    return bytes(stored.reply)
