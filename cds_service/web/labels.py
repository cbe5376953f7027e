"""Validated diagnoses of a prediction: stored before they are acknowledged, and read back with what holds."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from flask import Blueprint, Response, request

from cds_service import logs
from cds_service.cdshooks.feedback import moment
from cds_service.domain.feedback import Feedback
from cds_service.domain.label import Label
from cds_service.errors import BadRequest
from cds_service.monitoring import metrics
from cds_service.services.confirm_label import ConfirmationRequest, confirm_label, withdraw_confirmation
from cds_service.services.read_labels import LabelHistory, read_labels
from cds_service.services.read_prediction import uuid_from
from cds_service.services.record_label import record_label, release_label
from cds_service.web.access import authenticate
from cds_service.web.answering import received
from cds_service.web.context import inert_response, read_json, runtime, token_use
from cds_service.web.label_body import read_confirmation, read_label, read_release

labels = Blueprint("labels", __name__)
log = logs.get_logger(__name__)


@labels.post("/predictions/<prediction_id>/labels")
def label_prediction(prediction_id: str) -> Response:
    """The event as it is in the ledger, after the commit; the same body again gets the same answer."""
    process = runtime()
    actor = authenticate(process)
    asked = read_label(read_json().document, actor, now=process.now())
    label, is_new = record_label(uuid_from(prediction_id), asked, received(actor), writer=process.writer)
    if is_new:
        note_label(label)
    return inert_response(label_document(label))


@labels.get("/predictions/<prediction_id>/labels")
def list_labels(prediction_id: str) -> Response:
    """Every event about the prediction as of a moment; the read is audited."""
    process = runtime()
    call = received(authenticate(process))
    record = partial(process.writer.submit_audit, token=token_use())
    history = read_labels(uuid_from(prediction_id), call, engine=process.engine, record=record, as_of=_as_of())
    return inert_response(_history_document(history))


@labels.post("/predictions/<prediction_id>/labels/<label_id>/confirmation")
def confirm(prediction_id: str, label_id: str) -> Response:
    """The confirmation of someone else's label, or its end, after the commit; the same again gets the same answer."""
    process = runtime()
    call = received(authenticate(process))
    body = read_confirmation(read_json().document)
    asked = ConfirmationRequest(uuid_from(prediction_id), uuid_from(label_id), body.comment)
    if body.is_withdrawal:
        label, is_new = withdraw_confirmation(asked, call, writer=process.writer)
    else:
        label, is_new = confirm_label(
            asked, call, writer=process.writer, engine=process.engine, rare=process.beside.rare.get()
        )
    if is_new:
        note_label(label)
    return inert_response(label_document(label))


@labels.post("/labels/<label_id>/release")
def release(label_id: str) -> Response:
    """The release of a label that was held back, after the commit; the same again gets the same answer."""
    process = runtime()
    call = received(authenticate(process))
    reason = read_release(read_json().document)
    label, is_new = release_label(uuid_from(label_id), reason, call, writer=process.writer)
    if is_new:
        note_label(label)
    return inert_response(label_document(label))


def note_label(label: Label) -> None:
    """Count and log an event of the ledger, without what it says."""
    metrics.count_label(label)
    log.info("label_stored", reason=label.quarantine, where=label.source.value)


def label_document(label: Label) -> dict[str, Any]:
    """The event without what has no value."""
    document = {
        "id": str(label.id),
        "kind": label.kind.value,
        "source": label.source.value,
        "about": "patient" if label.prediction_id is None else "prediction",
        "author": label.author or None,
        "actor": label.actor,
        "role": label.role,
        "category": label.category,
        "diagnosis": None if label.code is None else {"system": label.code_system, "code": label.code},
        "icu_admission": label.icu_admission,
        "observed_at": label.observed_at.isoformat(),
        "received_at": label.received_at.isoformat(),
        "saw_prediction": label.saw_prediction,
        "refers_to": None if label.refers_to is None else str(label.refers_to),
        "quarantine": label.quarantine,
    }
    return {name: value for name, value in document.items() if value is not None}


def _history_document(history: LabelHistory) -> dict[str, Any]:
    outcome = {} if history.outcome is None else {"outcome": _outcome_document(history.outcome)}
    return {
        "prediction": str(history.prediction_id),
        "as_of": history.as_of.isoformat(),
        "disputed": history.disputed,
        "labels": [
            {
                **label_document(label),
                "status": history.statuses[label.id].value,
                **({"comment": history.comments[label.id]} if label.id in history.comments else {}),
            }
            for label in history.labels
        ],
        **outcome,
    }


def _outcome_document(report: Feedback) -> dict[str, Any]:
    reason = {} if report.reason is None else {"reason": dict(zip(("system", "code"), report.reason, strict=True))}
    return {"outcome": report.outcome, "at": report.outcome_timestamp.isoformat(), **reason}


def _as_of() -> datetime | None:
    text = request.args.get("as_of")
    if text is None:
        return None
    try:
        return moment(text.replace(" ", "+"))
    except ValueError as error:
        raise BadRequest("must be an RFC 3339 date and time with its zone", where="as_of") from error
