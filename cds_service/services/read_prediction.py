"""A stored prediction, whole again: its row, its patient, and the audit of having been read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine

from cds_service.domain.actor import Actor
from cds_service.domain.patient import Identity
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.errors import NotFound
from cds_service.services.stored import prediction_from_bytes
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.identity import Keyring, read_identity
from cds_service.storage.prediction_log import PredictionRow, read_prediction

Record = Callable[[AuditEvent], None]

_NOBODY = Identity(patient_id="")


def read_stored_prediction(
    prediction_id: str,
    actor: Actor,
    *,
    engine: Engine,
    keyring: Keyring,
    record: Record,
    at: datetime,
) -> Prediction | RareAssessment:
    """The prediction as it was answered; NotFound as `read_row`.

    `record` puts the read in the audit log before anything is returned.
    """
    row = read_row(prediction_id, actor, engine=engine)
    identity = read_identity(engine, keyring, row.patient_key) if row.patient_key else None
    record(
        AuditEvent(
            at=at,
            tenant=actor.tenant,
            actor=actor.name,
            action="prediction-read",
            object_type="prediction",
            object_id=str(row.id),
        )
    )
    return prediction_from_bytes(
        row.snapshot,
        row.outcome,
        prediction_id=row.id,
        model_version=row.model_version,
        site_hash=row.site_hash,
        identity=identity or _NOBODY,
    )


def read_row(prediction_id: str, actor: Actor, *, engine: Engine) -> PredictionRow:
    """What is stored of it; NotFound alike for unknown ids, another tenant's and the other environment's."""
    row = read_prediction(engine, uuid_from(prediction_id), actor.tenant)
    if row is None or row.environment != actor.environment:
        raise NotFound("no such prediction")
    return row


def uuid_from(text: str) -> UUID:
    """The id in an address; NotFound when it is none, as for one that is not there."""
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound("no such prediction") from error
