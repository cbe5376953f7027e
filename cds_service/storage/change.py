"""What a use case asks the writer to do beside storing predictions: read, decide and write in one savepoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from sqlalchemy import Connection, Table

from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.statements import insert_into

T = TypeVar("T", covariant=True)

# What a change works on: the writer's connection within its savepoint.
Transaction: TypeAlias = Connection


@dataclass(frozen=True, slots=True)
class Applied(Generic[T]):
    """What a change came to, and the events that record it: appended to the audit chain in the same transaction."""

    result: T
    events: Sequence[AuditEvent] = ()


# Called on the writer's thread within its transaction, so it is short, and never commits. A CdsError it raises
# undoes this change alone and reaches the caller; a change asked for twice must come to the same.
Change = Callable[[Transaction], Applied[T]]


def add_missing(transaction: Transaction, table: Table, row: dict[str, Any]) -> bool:
    """Whether the row was new and is in the table now; one whose keys are taken is left alone."""
    insert = insert_into(table, transaction.dialect).values(row).on_conflict_do_nothing()
    # Not by the count of rows: SQLAlchemy keeps none of an INSERT, and PostgreSQL would say -1.
    return transaction.execute(insert.returning(*table.primary_key)).first() is not None
