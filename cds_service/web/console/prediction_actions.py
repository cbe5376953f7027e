"""What people do on a prediction's page beside labelling it: say it was wrong, score it again, confirm, settle."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Response, request

from cds_service import logs
from cds_service.cdshooks.feedback import MAX_COMMENT, Report
from cds_service.cdshooks.override_reasons import reason_name
from cds_service.cdshooks.wording import words
from cds_service.domain.actor import counted_as
from cds_service.domain.feedback import OVERRIDDEN
from cds_service.domain.prediction import Prediction
from cds_service.errors import ConfigurationError
from cds_service.i18n import msgid
from cds_service.monitoring import metrics
from cds_service.services.confirm_label import ConfirmationRequest, confirm_label, withdraw_confirmation
from cds_service.services.read_prediction import read_row, uuid_from
from cds_service.services.record_feedback import record_feedback
from cds_service.services.record_label import record_label
from cds_service.services.rescore import rescore
from cds_service.storage.decisions import read_decisions
from cds_service.storage.prediction_log import PredictionRow
from cds_service.web.answering import received
from cds_service.web.console import label_form
from cds_service.web.console.pages import console, link, page_language, person
from cds_service.web.console.prediction import prediction_page
from cds_service.web.console.reasons import reasons_for
from cds_service.web.console.sessions import require_own_form
from cds_service.web.context import runtime, see_other
from cds_service.web.label_body import read_label
from cds_service.web.labels import note_label
from cds_service.web.stored import stored_prediction

log = logs.get_logger(__name__)

# The parts of a stored outcome in words.
PARTS = {
    "news2": msgid("the NEWS2 score"),
    "news2_omitted": msgid("why there is no NEWS2 score"),
    "risk": msgid("the risk"),
    "risk_omitted": msgid("why there is no risk"),
    "states": msgid("the states"),
    "would_help": msgid("what would help most"),
    "state_model": msgid("the states by the model"),
}


@console.post("/console/predictions/<prediction_id>/feedback")
def take_feedback_form(prediction_id: str) -> Response:
    """That the prediction was wrong, and why, as a report on its card; the page again where no reason was chosen."""
    process = runtime()
    actor = person(process)
    require_own_form()
    found = stored_prediction(prediction_id, actor)
    row = read_row(prediction_id, actor, engine=process.engine)
    reason, comment = request.form.get("reason", ""), request.form.get("comment", "").strip()
    if reason not in dict(reasons_for(found, words(page_language()))) or len(comment) > MAX_COMMENT:
        return prediction_page(prediction_id, actor, status=400, is_feedback_refused=True)
    system, _, code = reason.rpartition("|")
    report = Report(row.id, OVERRIDDEN, process.now(), (), (system, code), comment)
    new = record_feedback([report], row.service, received(actor), writer=process.writer)
    for one in new:
        metrics.count_feedback(
            counted_as(actor.tenant, actor.environment), row.service, one.outcome, reason_name(one.reason)
        )
    log.info("feedback_stored", service=row.service, count=len(new))
    return _back(prediction_id, "feedback")


@console.post("/console/predictions/<prediction_id>/rescore")
def rescore_prediction(prediction_id: str) -> Response:
    """The page, saying what comes out when the prediction is made again by its own version; audited."""
    process = runtime()
    actor = person(process)
    require_own_form()
    row = read_row(prediction_id, actor, engine=process.engine)
    settings = process.settings
    try:
        again = rescore(
            row,
            read_decisions(process.engine),
            models_dir=settings.models_dir,
            load=process.models.recall,
            policy=settings.site.assessment,
        )
    except ConfigurationError:
        return prediction_page(prediction_id, actor, rescored={"missing": True})
    detail = msgspec.json.encode({"model": row.model_version, "differing": again.differing}).decode()
    process.writer.submit_audit(received(actor).event("prediction-rescore", "prediction", row.id, detail))
    return prediction_page(prediction_id, actor, rescored=_compared(again.stored, again.again, again.differing, row))


@console.post("/console/predictions/<prediction_id>/confirmations")
def confirm_rare(prediction_id: str) -> Response:
    """The second confirmation of a rare disease that someone else named, or its end."""
    process = runtime()
    actor = person(process)
    require_own_form()
    call = received(actor)
    label_id = uuid_from(request.form.get("label", ""))
    asked = ConfirmationRequest(uuid_from(prediction_id), label_id)
    if "withdraw" in request.form:
        label, is_new = withdraw_confirmation(asked, call, writer=process.writer)
    else:
        rare = process.beside.rare.get()
        label, is_new = confirm_label(asked, call, writer=process.writer, engine=process.engine, rare=rare)
    if is_new:
        note_label(label)
    return _back(prediction_id, "labels")


@console.post("/console/predictions/<prediction_id>/adjudication")
def adjudicate(prediction_id: str) -> Response:
    """A steward's word on labels that disagree; the page again where no state was chosen."""
    process = runtime()
    actor = person(process)
    require_own_form()
    if "category" not in label_form.label_body():
        return prediction_page(prediction_id, actor, status=400, is_adjudication_refused=True)
    asked = read_label(label_form.label_body({"saw_prediction": "yes"}), actor, now=process.now())
    label, is_new = record_label(uuid_from(prediction_id), asked, received(actor), writer=process.writer)
    if is_new:
        note_label(label)
    return _back(prediction_id, "labels")


def _back(prediction_id: str, part: str) -> Response:
    return see_other(link("console.show_prediction", prediction_id=prediction_id) + f"#{part}")


def _compared(stored: Prediction, again: Prediction, differing: tuple[str, ...], row: PredictionRow) -> dict[str, Any]:
    """What came out, in words and numbers."""
    told = words(page_language())
    risks = [None if one.risk is None else told.number(100 * one.risk.probability) for one in (stored, again)]
    return {
        "version": row.model_version,
        "differing": [told.t(PARTS[name]) for name in differing],
        "then": risks[0],
        "now": risks[1],
        "is_same_site": row.site_hash == runtime().settings.site.hash,
    }
