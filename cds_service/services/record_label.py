"""A validated diagnosis of one prediction, its correction or its withdrawal; and the release of what was held back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID, uuid5

import msgspec

from cds_service.domain.label import Kind, Label, Source
from cds_service.errors import Conflict, NotFound
from cds_service.services.enter_label import enter_label, label_id
from cds_service.services.received import Received
from cds_service.storage.change import Applied, Transaction
from cds_service.storage.label_ledger import find_label
from cds_service.storage.subjects import Subject, read_subjects
from cds_service.storage.writer import GroupWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequest:
    """What someone says of a prediction; `kind` is a label or a withdrawal, `refers_to` what it supersedes or ends.

    `diagnosis` is system and code. `observed_at` is None where it is as of now.
    """

    kind: Kind
    author: str
    category: str | None = None
    diagnosis: tuple[str, str] | None = None
    icu_admission: bool | None = None
    observed_at: datetime | None = None
    saw_prediction: str = "unknown"
    refers_to: UUID | None = None
    comment: str = ""

    def __repr__(self) -> str:
        """Without the comment, which may name a patient."""
        return f"LabelRequest({self.kind.value})"


def record_label(
    prediction_id: UUID, request: LabelRequest, received: Received, *, writer: GroupWriter
) -> tuple[Label, bool]:
    """The event as the ledger holds it, after the commit, and whether it is new; a repeat gets the same event.

    Raises NotFound for a prediction, or a label it refers to, that is not there for this caller.
    """

    def change(transaction: Transaction) -> Applied[tuple[Label, bool]]:
        actor = received.actor
        subject = read_subjects(transaction, actor.tenant, actor.environment, [prediction_id]).get(prediction_id)
        if subject is None:
            raise NotFound("no such prediction")
        label = _label(request, subject, received, thread=_thread(transaction, request, subject, received))
        entered, events = enter_label(transaction, label, received, subject=subject, comment=request.comment)
        return Applied((entered, bool(events)), events)

    return writer.submit_change(change, token=received.token)


def release_label(held_id: UUID, reason: str, received: Received, *, writer: GroupWriter) -> tuple[Label, bool]:
    """Let a label count that was held back: an event of its own, and whether it is new.

    Conflict where nothing is held back, or it is the caller's own confirmation.
    """

    def change(transaction: Transaction) -> Applied[tuple[Label, bool]]:
        held = find_label(transaction, received.actor.tenant, held_id)
        if held is None:
            raise NotFound("no such label")
        if held.quarantine is None:
            raise Conflict("the label is not held back")
        if held.kind is Kind.CONFIRMATION and held.by == received.actor.name:
            raise Conflict("someone else must let one's own confirmation count")
        release = Label(
            id=uuid5(held.id, "release"),
            kind=Kind.RELEASE,
            thread=held.thread,
            source=Source.FORM,
            tenant=held.tenant,
            environment=held.environment,
            actor=received.actor.name,
            author="",
            role=received.actor.role,
            observed_at=received.at,
            stands_at=received.at,
            received_at=received.at,
            saw_prediction="unknown",
            prediction_id=held.prediction_id,
            patient_key=held.patient_key,
            refers_to=held.id,
        )
        entered, events = enter_label(transaction, release, received, comment=reason)
        return Applied((entered, bool(events)), events)

    return writer.submit_change(change, token=received.token)


def _thread(transaction: Transaction, request: LabelRequest, subject: Subject, received: Received) -> str | None:
    """The thread of the label referred to; None where the request begins one."""
    if request.refers_to is None:
        return None
    referred = find_label(transaction, received.actor.tenant, request.refers_to)
    is_about = referred is not None and (
        referred.prediction_id == subject.id
        or (referred.prediction_id is None and referred.patient_key == subject.patient_key)
    )
    if referred is None or not is_about or referred.kind is not Kind.LABEL:
        raise NotFound("no such label of this prediction", where=_MEMBER[request.kind])
    return referred.thread


_MEMBER = {Kind.LABEL: "supersedes", Kind.WITHDRAWAL: "withdraws"}


def _label(request: LabelRequest, subject: Subject, received: Received, *, thread: str | None) -> Label:
    actor = received.actor
    content = msgspec.to_builtins({**asdict(request), "kind": request.kind.value})
    if request.icu_admission is None:  # a repeat of what was sent before the member was known keeps its id
        del content["icu_admission"]
    own_id = label_id(received, "form", str(subject.id), actor.name, content)
    system, code = request.diagnosis or (None, None)
    return Label(
        id=own_id,
        kind=request.kind,
        thread=thread or f"form:{own_id}",
        source=Source.FORM,
        **received.caller,
        author=request.author,
        observed_at=request.observed_at or received.at,
        stands_at=received.at,
        saw_prediction=request.saw_prediction,
        prediction_id=subject.id,
        patient_key=subject.patient_key,
        category=request.category,
        code_system=system,
        code=code,
        icu_admission=request.icu_admission,
        refers_to=request.refers_to,
    )
