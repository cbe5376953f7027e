"""The FHIR addresses: assess a Bundle, read a stored prediction as RiskAssessment."""

from __future__ import annotations

from flask import Blueprint, Response

from cds_service.errors import BadRequest
from cds_service.fhir.writer import assess_bundle, risk_assessment
from cds_service.services.log_prediction import Asked
from cds_service.web.access import authenticate
from cds_service.web.answering import commit, predict_from, snapshot_from_fhir, stored_prediction
from cds_service.web.context import FHIR_JSON, json_response, language, read_json, retry_key, runtime
from cds_service.web.strict_json import content_hash

fhir = Blueprint("fhir", __name__, url_prefix="/fhir")


@fhir.post("/$assess")
def assess_posted_bundle() -> Response:
    """RiskAssessment and GuidanceResponse for a Bundle of one patient's resources, stored before they are sent."""
    process = runtime()
    actor = authenticate(process)
    parsed = read_json()
    if not isinstance(parsed.document, dict) or parsed.document.get("resourceType") != "Bundle":
        raise BadRequest("the body must be a FHIR Bundle", where="resourceType")
    snapshot = snapshot_from_fhir([parsed.canonical], patient_id=None, encounter_id=None, at=process.now())
    prediction = predict_from(snapshot)
    asked = Asked(
        actor=actor,
        service="assess",
        language=language(actor),
        request_hash=content_hash(parsed),
        hook_instance=retry_key(),
    )
    stored = commit(prediction, asked, None)
    if stored.replayed:
        prediction = stored_prediction(str(stored.id), actor)
    return json_response(assess_bundle(prediction, language=asked.language), media=FHIR_JSON)


@fhir.get("/RiskAssessment/<prediction_id>")
def read_risk_assessment(prediction_id: str) -> Response:
    """A stored prediction as a FHIR RiskAssessment of the patient it was made for."""
    actor = authenticate(runtime())
    prediction = stored_prediction(prediction_id, actor)
    return json_response(risk_assessment(prediction, language=language(actor)), media=FHIR_JSON)
