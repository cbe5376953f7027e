"""What a confirmation is about: a label that names a rare disease, and the ranking whose findings go with it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from cds_service.domain.case_counts import ValidatedCase
from cds_service.domain.label import Kind, Label, Status, statuses
from cds_service.domain.phenotype import FEWEST_FINDINGS, Phenotype
from cds_service.errors import Conflict, NotFound
from cds_service.services.learn_cases import EVER
from cds_service.services.received import Received
from cds_service.services.stored import phenotype_from_bytes
from cds_service.storage.change import Transaction
from cds_service.storage.label_ledger import labels_about
from cds_service.storage.overlay import person_of
from cds_service.storage.subjects import Subject, read_subjects


@dataclass(frozen=True, slots=True)
class Confirmable:
    """A label of a prediction, everything said about that, and what this caller says of the label (`said_by`)."""

    subject: Subject
    label: Label
    about: tuple[Label, ...]
    said_by: UUID

    @property
    def thread(self) -> str:
        """The thread of the caller's confirmations of the label."""
        return f"confirmation:{self.said_by}"

    @property
    def own(self) -> list[Label]:
        """The caller's confirmations of the label and their withdrawals, oldest first."""
        return sorted((one for one in self.about if one.thread == self.thread), key=lambda one: one.stands_at)


def find_confirmable(connection: Transaction, prediction_id: UUID, held: UUID, received: Received) -> Confirmable:
    """The label of the prediction, or of its patient; NotFound where one of them is not there for this caller."""
    actor = received.actor
    subject = read_subjects(connection, actor.tenant, actor.environment, [prediction_id]).get(prediction_id)
    if subject is None:
        raise NotFound("no such prediction")
    about = labels_about(connection, actor.tenant, subject.id, subject.patient_key)
    label = next((one for one in about if one.id == held and one.kind is Kind.LABEL), None)
    if label is None:
        raise NotFound("no such label of this prediction")
    return Confirmable(subject, label, about, said_by=uuid5(label.id, f"{subject.id} {actor.name}"))


def case_of(found: Confirmable, received: Received) -> ValidatedCase:
    """The case the label becomes once this caller confirms it; Conflict says why it becomes none."""
    phenotype = phenotype_from_bytes(found.subject.outcome)
    disease = found.label.rare_disease
    if phenotype is None or disease is None:
        raise Conflict("the label names no rare disease, or the prediction ranks none", where="confirmation")
    if statuses(found.about, EVER)[found.label.id] not in (Status.CURRENT, Status.TEST):
        raise Conflict("the label does not hold", where="confirmation")
    if received.actor.name in (found.label.by, found.label.actor):
        raise Conflict("a second clinician must confirm: this one gave the label", where="confirmation")
    if phenotype.n_findings < FEWEST_FINDINGS:
        raise Conflict(f"the ranking had fewer than {FEWEST_FINDINGS} findings to learn from", where="confirmation")
    return ValidatedCase(
        person=person_of(found.subject.id, found.subject.patient_key),
        disease=disease,
        observed=_terms(phenotype, excluded=False),
        excluded=_terms(phenotype, excluded=True),
    )


def _terms(phenotype: Phenotype, *, excluded: bool) -> frozenset[str]:
    """The findings; what a vital sign alone says is none to learn a rare disease by."""
    return frozenset(f.term for f in phenotype.findings if f.excluded is excluded and not f.by_vital)
