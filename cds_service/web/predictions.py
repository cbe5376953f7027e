"""The plain REST addresses: score a form, read a prediction, read its reasons."""

from __future__ import annotations

from hashlib import sha256

from flask import Blueprint, Response, request

from cds_service.domain.prediction import Prediction
from cds_service.errors import BadRequest
from cds_service.records.reader import snapshot_from_record
from cds_service.services.log_prediction import Asked
from cds_service.web.access import authenticate
from cds_service.web.answering import commit, predict_from, stored_prediction
from cds_service.web.context import json_response, language, read_json, retry_key, runtime
from cds_service.web.documents import explanation_document, prediction_document
from cds_service.web.strict_json import content_hash

predictions = Blueprint("predictions", __name__)


@predictions.route("/predict", methods=["GET", "POST"])
def predict() -> Response:
    """The prediction for one flat record of vital signs, from the query or a JSON object; stored before it is sent."""
    process = runtime()
    actor = authenticate(process)
    record, request_hash = _record()
    snapshot = snapshot_from_record(
        record, at=process.now(), policy=process.settings.site.reading, tables=process.tables
    )
    prediction = predict_from(snapshot)
    asked = Asked(
        actor=actor,
        service="predict",
        language=language(actor),
        request_hash=request_hash,
        hook_instance=retry_key(),
    )
    return json_response(commit(prediction, asked, prediction_document(prediction)).reply)


@predictions.get("/predictions/<prediction_id>")
def read_prediction(prediction_id: str) -> Response:
    """One stored prediction as it was answered."""
    return json_response(prediction_document(_stored(prediction_id)))


@predictions.get("/predictions/<prediction_id>/explain")
def explain_prediction(prediction_id: str) -> Response:
    """Why a stored prediction says what it says."""
    return json_response(explanation_document(_stored(prediction_id)))


def _stored(prediction_id: str) -> Prediction:
    return stored_prediction(prediction_id, authenticate(runtime()))


def _record() -> tuple[dict[str, object], bytes]:
    """The flat record asked about, and the hash of what was sent."""
    if request.method == "GET":
        repeated = [name for name, values in request.args.lists() if len(values) > 1]
        if repeated:
            raise BadRequest("a name is given more than once", where="query")
        return dict(request.args), sha256(request.query_string).digest()
    parsed = read_json()
    if not isinstance(parsed.document, dict):
        raise BadRequest("the body must be a JSON object of names and values")
    return parsed.document, content_hash(parsed)
