"""What a use case asks the writer to do beside storing predictions: read, decide and write in one savepoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection

from cds_service.storage.audit_log import AuditEvent

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class Applied(Generic[T]):
    """What a change came to, and the events that record it: appended to the audit chain in the same transaction."""

    result: T
    events: Sequence[AuditEvent] = ()


# Called on the writer's thread within its transaction, so it is short, and never commits. A CdsError it raises
# undoes this change alone and reaches the caller; a change asked for twice must come to the same.
Change = Callable[[Connection], Applied[T]]
