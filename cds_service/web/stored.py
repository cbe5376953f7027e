"""What was answered before, read again: the read is in the audit log before it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from cds_service.domain.actor import Actor
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.errors import NotFound
from cds_service.services.read_prediction import Record, read_stored_prediction
from cds_service.services.review import note_sight
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied
from cds_service.web.answering import received
from cds_service.web.context import runtime, token_use
from cds_service.web.refusals import claim, record_refusal


def stored_prediction(prediction_id: str, actor: Actor, *, record: Record | None = None) -> Prediction | RareAssessment:
    """A prediction of the caller's tenant as it was answered; the read is audited first, and so is one of nothing.

    `record` takes the event of the read where more is stored with it.
    """
    process = runtime()
    try:
        return read_stored_prediction(
            prediction_id,
            actor,
            engine=process.engine,
            keyring=process.keyring,
            record=record or partial(process.writer.submit_audit, token=token_use()),
            at=process.now(),
        )
    except NotFound:
        claim(actor=actor.name, tenant=actor.tenant)
        record_refusal("no-such-prediction")
        raise


def shown_prediction(prediction_id: str, actor: Actor) -> Prediction | RareAssessment:
    """A prediction to be shown as it was answered: a person who reads it has seen it from now on."""
    call = received(actor)

    def record(read: AuditEvent) -> None:
        note_sight(UUID(read.object_id), call, writer=runtime().writer, read=read)

    return stored_prediction(prediction_id, actor, record=record if actor.kind == "user" else None)


def record_reads(reads: Sequence[AuditEvent]) -> None:
    """Have all that a page read in the audit log, with one commit, before it leaves."""
    runtime().writer.submit_change(lambda _: Applied(None, reads))
