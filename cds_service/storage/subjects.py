"""What feedback and labels are about: the few columns of a prediction they need."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from cds_service.storage.tables import predictions

_COLUMNS = tuple(predictions.c[name] for name in ("id", "service", "patient_key", "created_at", "shown", "outcome"))


@dataclass(frozen=True, slots=True)
class Subject:
    """One prediction: whose, when, whether it was shown, and what it concluded (JSON)."""

    id: UUID
    service: str
    patient_key: str | None
    created_at: datetime
    shown: bool
    outcome: bytes


def read_subjects(connection: Connection, tenant: str, environment: str, ids: Collection[UUID]) -> dict[UUID, Subject]:
    """The predictions among these ids that are the tenant's and of this environment; others are as unknown as none."""
    query = select(*_COLUMNS).where(
        predictions.c.tenant == tenant, predictions.c.environment == environment, predictions.c.id.in_(ids)
    )
    return {row.id: Subject(*row) for row in connection.execute(query)}
