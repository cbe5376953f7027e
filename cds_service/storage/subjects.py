"""What feedback and labels are about: the few columns of a prediction they need."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from cds_service.storage.tables import prediction_readings, predictions, readings

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


def keys_predicted_before(connection: Connection, prediction: UUID, patient_keys: Collection[str]) -> list[str]:
    """Those of these keys under which anything was predicted before this prediction, by tenant and environment too."""
    this = predictions.alias()
    query = (
        select(predictions.c.patient_key)
        .join(this, (this.c.tenant == predictions.c.tenant) & (this.c.environment == predictions.c.environment))
        .where(
            this.c.id == prediction,
            predictions.c.patient_key.in_(patient_keys),
            predictions.c.created_at < this.c.created_at,
        )
    )
    return sorted(connection.execute(query.distinct()).scalars())


def predicted_keys(connection: Connection, tenant: str, environment: str, patient_key: str) -> list[str]:
    """The keys under which anything was predicted for a patient of HL7 v2 messages.

    Their own, and those of patients whose cards rest on readings of theirs: who they are was compared then.
    """
    theirs = select(predictions.c.patient_key).where(
        predictions.c.tenant == tenant, predictions.c.environment == environment
    )
    is_same = (prediction_readings.c.message_id == readings.c.message_id) & (
        prediction_readings.c.number == readings.c.number
    )
    resting = select(prediction_readings.c.prediction_id).join(readings, is_same)
    of_cards = theirs.where(predictions.c.id.in_(resting.where(readings.c.patient_key == patient_key)))
    own = theirs.where(predictions.c.patient_key == patient_key).limit(1)
    found = {*connection.execute(own).scalars(), *connection.execute(of_cards).scalars()}
    return sorted(key for key in found if key is not None)
