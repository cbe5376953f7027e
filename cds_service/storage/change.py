"""What a use case asks the writer to do beside storing predictions: read, decide and write in one savepoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.engine.interfaces import DBAPICursor

from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.statements import insert_into

T = TypeVar("T", covariant=True)

# What a change works on: the writer's connection within its savepoint.
Transaction: TypeAlias = Connection


@dataclass(frozen=True, slots=True)
class Applied(Generic[T]):
    """What a change came to, and the events that record it: appended to the audit chain in the same transaction.

    `identities` are key and fingerprint of those it stored, or found stored.
    """

    result: T
    events: Sequence[AuditEvent] = ()
    identities: Sequence[tuple[str, bytes]] = ()


# Called on the writer's thread within its transaction, so it is short, and never commits. What it raises
# undoes this change alone and reaches the caller; a change asked for twice must come to the same.
Change = Callable[[Transaction], Applied[T]]


@dataclass(frozen=True, slots=True)
class JointChange(Generic[T]):
    """A change many of which go in with few statements: the writer makes those of a group together where it can.

    `together` gets the `rows` of several on the driver's cursor: what each came to, None for one that must be made
    `alone`. Where it gives nothing at all, or the database refuses, all that was done is undone and each made alone.
    """

    alone: Change[T]
    rows: Any
    together: Callable[[DBAPICursor, Sequence[Any]], Sequence[Applied[T] | None] | None]

    def __call__(self, transaction: Transaction) -> Applied[T]:
        """Make it alone."""
        return self.alone(transaction)


def add_missing(transaction: Transaction, table: Table, row: dict[str, Any]) -> bool:
    """Whether the row was new and is in the table now; one whose keys are taken is left alone."""
    insert = insert_into(table, transaction.dialect).values(row).on_conflict_do_nothing()
    # Not by the count of rows: SQLAlchemy keeps none of an INSERT, and PostgreSQL would say -1.
    return transaction.execute(insert.returning(*table.primary_key)).first() is not None
