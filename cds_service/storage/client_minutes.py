"""Each client's calls of the minute, of all processes on the database together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import case

from cds_service.storage.change import Applied, Change, Transaction
from cds_service.storage.statements import insert_into
from cds_service.storage.tables import client_minutes

_MINUTE = timedelta(minutes=1)


class Client(NamedTuple):
    """Who calls: a client, user or token of a tenant."""

    tenant: str
    name: str


class Minute(NamedTuple):
    """When the minute of a client began, and the calls all processes told of in it."""

    began_at: datetime
    used: int


def add_calls(calls: Mapping[Client, int], now: datetime) -> Change[dict[Client, Minute]]:
    """Add what a process let in to the minute of each client, or begin another where that one is over."""

    def change(transaction: Transaction) -> Applied[dict[Client, Minute]]:
        # In one order everywhere, so that no two wait in a ring.
        return Applied({client: _added(transaction, client, calls[client], now) for client in sorted(calls)})

    return change


def _added(transaction: Transaction, client: Client, used: int, now: datetime) -> Minute:
    stored, insert = client_minutes.c, insert_into(client_minutes, transaction.dialect)
    told = insert.values(**client._asdict(), began_at=now, used=used)
    is_over = stored.began_at <= now - _MINUTE
    kept = {
        "began_at": case((is_over, told.excluded.began_at), else_=stored.began_at),
        "used": case((is_over, told.excluded.used), else_=stored.used + told.excluded.used),
    }
    upsert = told.on_conflict_do_update(index_elements=list(client_minutes.primary_key), set_=kept)
    return Minute(*transaction.execute(upsert.returning(stored.began_at, stored.used)).one())
