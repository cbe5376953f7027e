"""What several people have to settle: labels that disagree, and rare diseases that a second person should confirm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine

from cds_service.domain.consensus import DISPUTED, settle, votes_on
from cds_service.domain.label import Label, confirmations, current_labels, is_disputed, rehearsed
from cds_service.domain.phenotype import FEWEST_FINDINGS, Phenotype
from cds_service.services.read_prediction import Record
from cds_service.services.received import Received
from cds_service.services.review import whose_cases
from cds_service.services.stored import phenotype_from_bytes
from cds_service.storage.label_ledger import labels_about
from cds_service.storage.review_log import Whose, contradicted, labels_of, named_rare
from cds_service.storage.sessions import reading
from cds_service.storage.subjects import Subject, read_subjects

# More than anyone settles at one sitting; chosen by us. The rest comes up when these are done.
_MOST = 100

# The young predictions of a tenant that may be on a list.
Find = Callable[[Connection, Whose], list[UUID]]


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A prediction somebody has to settle, when it was made, and the labels it is about."""

    prediction_id: UUID
    made_at: datetime
    labels: tuple[Label, ...]


def read_conflicts(received: Received, *, engine: Engine, record: Record) -> list[Unsettled]:
    """Predictions whose labels disagree and that no steward has settled, newest first; the read is audited."""
    whose = whose_cases(received)
    with reading(engine) as connection:
        ids = contradicted(connection, whose, limit=_MOST)
        subjects, about = _read(connection, whose, ids)
    found = {prediction: dispute(labels, received.at) for prediction, labels in about.items()}
    record(received.event("review-list-read", "list", "conflicts"))
    return [
        Unsettled(prediction, subjects[prediction].created_at, found[prediction])
        for prediction in ids
        if prediction in subjects and found[prediction]
    ]


def dispute(labels: Sequence[Label], at: datetime) -> tuple[Label, ...]:
    """The votes that exclude one another and that nobody has settled; none where there is no dispute."""
    votes = votes_on("category", current_labels(rehearsed(labels), at))
    is_open = is_disputed(votes) and settle("adjudicate", "category", votes) == DISPUTED
    return votes if is_open else ()


def read_unconfirmed(received: Received, *, engine: Engine, record: Record) -> list[Unsettled]:
    """Labels that name a rare disease and wait for a second person other than this one, newest first; audited."""
    whose = whose_cases(received)
    with reading(engine) as connection:
        ids = named_rare(connection, whose, limit=_MOST)
        subjects = read_subjects(connection, whose.tenant, whose.environment, ids)
        found = [
            Unsettled(subject.id, subject.created_at, waiting)
            for prediction in ids
            if (subject := subjects.get(prediction)) is not None
            and (
                waiting := unconfirmed(
                    _about(connection, subject, whose), phenotype_from_bytes(subject.outcome), received
                )
            )
        ]
    record(received.event("review-list-read", "list", "confirmations"))
    return found


def unconfirmed(about: Sequence[Label], phenotype: Phenotype | None, received: Received) -> tuple[Label, ...]:
    """The labels of a ranking with enough findings that this person could confirm, and nobody has."""
    if phenotype is None or phenotype.n_findings < FEWEST_FINDINGS:
        return ()
    events = rehearsed(about)
    done = {one.refers_to for one in confirmations(events, received.at)}
    return tuple(
        label
        for label in current_labels(events, received.at)
        if label.rare_disease and label.id not in done and received.actor.name not in (label.by, label.actor)
    )


def _about(connection: Connection, subject: Subject, whose: Whose) -> tuple[Label, ...]:
    return labels_about(connection, whose.tenant, subject.id, subject.patient_key)


def _read(
    connection: Connection, whose: Whose, ids: Sequence[UUID]
) -> tuple[dict[UUID, Subject], dict[UUID, list[Label]]]:
    subjects = read_subjects(connection, whose.tenant, whose.environment, ids)
    return subjects, labels_of(connection, whose.tenant, ids)
