"""Leases: of several processes one does a work; when it has not said so for some time another takes over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from cds_service.storage.change import Applied, Change, Transaction
from cds_service.storage.tables import leases


def take_leases(names: Iterable[str], holder: str, *, at: datetime, until: datetime) -> Change[frozenset[str]]:
    """Which works of these names are the holder's until then; one whose lease another holds stays the other's."""

    def change(transaction: Transaction) -> Applied[frozenset[str]]:
        transaction.execute(delete(leases).where(leases.c.lease_until <= at))
        return Applied(frozenset(name for name in names if _take(transaction, name, holder, until)))

    return change


def _take(transaction: Transaction, name: str, holder: str, until: datetime) -> bool:
    found = transaction.execute(select(leases.c.holder).where(leases.c.name == name)).scalar_one_or_none()
    if found is None:
        transaction.execute(insert(leases).values(name=name, holder=holder, lease_until=until))
    elif found == holder:
        transaction.execute(update(leases).where(leases.c.name == name).values(lease_until=until))
    return found in (None, holder)
