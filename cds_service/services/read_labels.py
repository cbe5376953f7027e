"""What is known of a prediction afterwards: its labels and the outcome of its card, which are different facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine

from cds_service.domain.feedback import AHEAD_TOLERANCE, Feedback, standing_report
from cds_service.domain.label import Label, Status, current_labels, is_disputed, statuses
from cds_service.errors import NotFound
from cds_service.services.read_prediction import Record
from cds_service.services.received import Received
from cds_service.storage.feedback_log import reports_on
from cds_service.storage.label_ledger import comments_on, labels_about
from cds_service.storage.sessions import reading
from cds_service.storage.subjects import Subject, read_subjects


@dataclass(frozen=True, slots=True)
class LabelHistory:
    """The events about one prediction as of a moment, what each counts for, and the report on its card that holds.

    `service` made the prediction; `shown` says whether anybody was shown it.
    """

    prediction_id: UUID
    service: str
    shown: bool
    as_of: datetime
    labels: tuple[Label, ...]
    statuses: Mapping[UUID, Status]
    comments: Mapping[UUID, str]
    disputed: bool
    outcome: Feedback | None


def read_labels(
    prediction_id: UUID, received: Received, *, engine: Engine, record: Record, as_of: datetime | None = None
) -> LabelHistory:
    """The history as of `as_of`, now where none is given; NotFound alike for unknown ids and another tenant's.

    The read is in the audit log before anything is returned.
    """
    moment, actor = as_of or received.at, received.actor
    with reading(engine) as connection:
        subject = read_subjects(connection, actor.tenant, actor.environment, [prediction_id]).get(prediction_id)
        if subject is None:
            raise NotFound("no such prediction")
        about = labels_about(connection, actor.tenant, subject.id, subject.patient_key)
        known = tuple(label for label in about if label.received_at <= moment and _concerns(label, subject))
        comments = comments_on(connection, received.keyring, known)
        reports = [
            report for report in reports_on(connection, actor.tenant, subject.id) if report.received_at <= moment
        ]
    record(received.event("labels-read", "prediction", subject.id))
    return LabelHistory(
        prediction_id=subject.id,
        service=subject.service,
        shown=subject.shown,
        as_of=moment,
        labels=tuple(sorted(known, key=lambda label: (label.received_at, label.id))),
        statuses=statuses(known, moment),
        comments=comments,
        disputed=is_disputed(current_labels(known, moment)),
        outcome=standing_report(reports),
    )


def _concerns(label: Label, subject: Subject) -> bool:
    """Whether it is about the prediction, or about its patient and no older than the prediction."""
    return label.prediction_id == subject.id or label.observed_at >= subject.created_at - AHEAD_TOLERANCE
