"""What several people have to settle: labels that disagree, and rare diseases that a second person should confirm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine

from cds_service.domain.consensus import DISPUTED, settle, votes_on
from cds_service.domain.label import Label, confirmations, current_labels, is_disputed, rehearsed
from cds_service.domain.patient import Identity
from cds_service.domain.phenotype import FEWEST_FINDINGS, Phenotype
from cds_service.services.received import Received
from cds_service.services.review import whose_cases
from cds_service.services.stored import phenotype_from_bytes
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.identity import read_identity
from cds_service.storage.label_ledger import labels_about
from cds_service.storage.review_log import Whose, contradicted, labels_of, named_rare
from cds_service.storage.sessions import reading
from cds_service.storage.subjects import Subject, read_subjects

# More than anyone settles at one sitting; chosen by us. The rest comes up when these are done.
_MOST = 100

# Puts what was read in the audit log, before anything is returned.
Record = Callable[[Sequence[AuditEvent]], None]

_NOBODY = Identity(patient_id="")


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A prediction somebody has to settle, when it was made and of whom, and the labels it is about."""

    prediction_id: UUID
    made_at: datetime
    patient: Identity
    labels: tuple[Label, ...]


def read_conflicts(received: Received, *, engine: Engine, record: Record) -> list[Unsettled]:
    """Predictions whose labels disagree and that no steward has settled, newest first; the read is audited."""
    whose = whose_cases(received)
    with reading(engine) as connection:
        ids = contradicted(connection, whose, limit=_MOST)
        subjects, about = _read(connection, whose, ids)
    found = {prediction: dispute(labels, received.at) for prediction, labels in about.items()}
    waiting = [(subjects[one], found[one]) for one in ids if one in subjects and found[one]]
    return _told("conflicts", waiting, received, engine, record)


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
            (subject, waiting)
            for prediction in ids
            if (subject := subjects.get(prediction)) is not None
            and (
                waiting := unconfirmed(
                    _about(connection, subject, whose), phenotype_from_bytes(subject.outcome), received
                )
            )
        ]
    return _told("confirmations", found, received, engine, record)


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


def _told(
    name: str, waiting: Iterable[tuple[Subject, tuple[Label, ...]]], received: Received, engine: Engine, record: Record
) -> list[Unsettled]:
    """The list with who each case is of; the list and every case of it are read."""
    found = [
        Unsettled(subject.id, subject.created_at, _patient(subject, received, engine), labels)
        for subject, labels in waiting
    ]
    cases = [received.event("case-read", "prediction", one.prediction_id) for one in found]
    record([received.event("review-list-read", "list", name), *cases])
    return found


def _patient(subject: Subject, received: Received, engine: Engine) -> Identity:
    key = subject.patient_key
    return (read_identity(engine, received.keyring, key) if key else None) or _NOBODY


def _about(connection: Connection, subject: Subject, whose: Whose) -> tuple[Label, ...]:
    return labels_about(connection, whose.tenant, subject.id, subject.patient_key)


def _read(
    connection: Connection, whose: Whose, ids: Sequence[UUID]
) -> tuple[dict[UUID, Subject], dict[UUID, list[Label]]]:
    subjects = read_subjects(connection, whose.tenant, whose.environment, ids)
    return subjects, labels_of(connection, whose.tenant, ids)
