"""Predictions and labels as the doors leave them, for the tests of datasets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from cds_service.domain.actor import Actor
from cds_service.domain.label import Kind, Label
from cds_service.domain.patient import Identity
from cds_service.domain.policy import AssessmentPolicy, FeedbackPolicy
from cds_service.inference.predictor import Predictor
from cds_service.services.assess import assess
from cds_service.services.log_prediction import Asked, entry_from_prediction
from cds_service.services.models import Serving
from cds_service.services.received import Received
from cds_service.services.record_label import LabelRequest, record_label
from cds_service.storage.prediction_log import new_prediction_id
from cds_service.storage.writer import GroupWriter
from tests.factories import AT, a_reading, a_snapshot
from tests.storage.builders import keyring

EHR = Actor(name="ehr-1", kind="client", role="client", tenant="north", environment="production")
SITE_HASH = "5" * 64


def a_prediction(
    writer: GroupWriter,
    predictor: Predictor,
    patient: str,
    *,
    at: datetime = AT,
    shown: bool = True,
    actor: Actor = EHR,
    **given: Any,
) -> UUID:
    """The id of a stored assessment of a healthy adult but for what is given."""
    moved = {name: a_reading(name, value)._replace(time=at) for name, value in given.items() if name in _VITALS}
    snapshot = replace(a_snapshot(**{**given, **moved}), at=at, identity=Identity(patient))
    assessed = assess(
        snapshot,
        prediction_id=new_prediction_id(at),
        models=Serving(predictor),
        policy=AssessmentPolicy(),
        site_hash=SITE_HASH,
    )
    asked = Asked(actor=actor, service="vitals-risk", language="en", request_hash=b"x" * 32)
    return writer.submit(entry_from_prediction(assessed, asked, reply=b"{}", shown=shown)).id


_VITALS = ("heart_rate", "temperature", "systolic_bp", "respiratory_rate", "spo2")


def a_label_of(
    writer: GroupWriter, prediction: UUID, *, by: str = "1", at: datetime | None = None, **members: Any
) -> Label:
    """A label of the prediction by a clinician, a day after AT."""
    received = at or AT + timedelta(days=1)
    actor = replace(members.pop("actor", EHR), role=members.pop("role", "client"))
    call = Received(actor, received, FeedbackPolicy(burst_labels=10_000), keyring())
    request = LabelRequest(**{"kind": Kind.LABEL, "author": f"Practitioner/{by}", **members})
    return record_label(prediction, request, call, writer=writer)[0]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]
