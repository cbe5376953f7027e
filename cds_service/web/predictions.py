"""The plain REST addresses: score a form, read a prediction, read its reasons."""

from __future__ import annotations

from flask import Blueprint, Response, request

from cds_service.errors import BadRequest
from cds_service.records.reader import snapshot_from_record
from cds_service.services.log_prediction import Asked
from cds_service.web.access import authenticate
from cds_service.web.answering import commit, predict_from, stored_prediction
from cds_service.web.context import json_response, language, read_json, runtime
from cds_service.web.documents import explanation_document, prediction_document
from cds_service.web.strict_json import hash_of

predictions = Blueprint("predictions", __name__)


@predictions.route("/predict", methods=["GET", "POST"])
def predict() -> Response:
    """The prediction for one flat record of vital signs, from the query or a JSON object; stored before it is sent."""
    process = runtime()
    actor = authenticate(process.settings)
    record = _record()
    snapshot = snapshot_from_record(
        record, at=process.now(), policy=process.settings.site.reading, tables=process.tables
    )
    prediction = predict_from(snapshot)
    asked = Asked(actor=actor, service="predict", language=language(), request_hash=hash_of(record))
    return json_response(commit(prediction, asked, prediction_document(prediction)))


@predictions.get("/predictions/<prediction_id>")
def read_prediction(prediction_id: str) -> Response:
    """One stored prediction as it was answered."""
    return json_response(prediction_document(stored_prediction(prediction_id)))


@predictions.get("/predictions/<prediction_id>/explain")
def explain_prediction(prediction_id: str) -> Response:
    """Why a stored prediction says what it says."""
    return json_response(explanation_document(stored_prediction(prediction_id)))


def _record() -> dict[str, object]:
    if request.method == "GET":
        repeated = [name for name, values in request.args.lists() if len(values) > 1]
        if repeated:
            raise BadRequest("given more than once", where=repeated[0][:40])
        return dict(request.args)
    document = read_json().document
    if not isinstance(document, dict):
        raise BadRequest("the body must be a JSON object of names and values")
    return document
