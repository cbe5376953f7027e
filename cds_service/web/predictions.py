"""The plain REST addresses: score a form, read a prediction, read its reasons."""

from __future__ import annotations

from flask import Blueprint, Response

from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.records.reader import snapshot_from_record
from cds_service.services.log_prediction import Asked
from cds_service.web.access import authenticate
from cds_service.web.answering import committed, mode_of, predict_from
from cds_service.web.console.pages import link
from cds_service.web.context import json_response, language, read_record, retry_key, runtime, see_other, wants_page
from cds_service.web.documents import explanation_document, prediction_document
from cds_service.web.rare_documents import rare_document, rare_explanation
from cds_service.web.stored import shown_prediction

predictions = Blueprint("predictions", __name__)


@predictions.route("/predict", methods=["GET", "POST"])
def predict() -> Response:
    """The prediction for one flat record of vital signs, from the query or a JSON object; stored before it is sent."""
    process = runtime()
    actor = authenticate(process)
    record, request_hash = read_record()
    asked = Asked(
        actor=actor,
        service="predict",
        language=language(actor),
        request_hash=request_hash,
        hook_instance=retry_key(),
        mode=mode_of(actor),
    )
    snapshot = snapshot_from_record(
        record, at=process.now(), policy=process.settings.site.reading, tables=process.tables
    )
    prediction = predict_from(snapshot, actor)
    return committed(prediction, asked, prediction_document(prediction))


@predictions.get("/predictions/<prediction_id>")
def read_prediction(prediction_id: str) -> Response:
    """One stored prediction as it was answered; for a browser, which is where a card's link is opened, its page."""
    if wants_page():
        return see_other(link("console.show_prediction", prediction_id=prediction_id))
    prediction = _stored(prediction_id)
    if isinstance(prediction, RareAssessment):
        return json_response(rare_document(prediction))
    return json_response(prediction_document(prediction))


@predictions.get("/predictions/<prediction_id>/explain")
def explain_prediction(prediction_id: str) -> Response:
    """Why a stored prediction says what it says."""
    prediction = _stored(prediction_id)
    if isinstance(prediction, RareAssessment):
        return json_response(rare_explanation(prediction))
    return json_response(explanation_document(prediction))


def _stored(prediction_id: str) -> Prediction | RareAssessment:
    return shown_prediction(prediction_id, authenticate(runtime()))
