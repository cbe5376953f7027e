"""The FHIR addresses: assess a Bundle, read a stored prediction as RiskAssessment."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, Response

from cds_service.domain.actor import Actor
from cds_service.domain.mode import Mode
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.errors import BadRequest
from cds_service.fhir.outcome import information
from cds_service.fhir.rare_writer import rare_bundle, rare_risk_assessment
from cds_service.fhir.visit_diagnoses import read_visit_diagnoses
from cds_service.fhir.writer import assess_bundle, risk_assessment
from cds_service.services.label_conditions import label_conditions
from cds_service.services.log_prediction import Asked
from cds_service.web.access import authenticate
from cds_service.web.answering import commit, mode_of, predict_from, received, snapshot_from_fhir
from cds_service.web.context import FHIR_JSON, json_response, language, read_json, retry_key, runtime
from cds_service.web.labels import note_label
from cds_service.web.ranking import findings_from_fhir, rank_from
from cds_service.web.stored import shown_prediction, stored_prediction
from cds_service.web.strict_json import content_hash

fhir = Blueprint("fhir", __name__, url_prefix="/fhir")

# Candidates of one ranking; a card shows the first five of them. Chosen by us.
_CANDIDATES = 10


@fhir.post("/$assess")
def assess_posted_bundle() -> Response:
    """RiskAssessment and GuidanceResponse for a Bundle of one patient's resources, stored before they are sent."""
    return _answer("assess", _predict)


@fhir.post("/$rare-disease")
def rank_posted_bundle() -> Response:
    """Rare diseases for the findings in a Bundle of one patient's resources, stored before they are sent."""
    return _answer("fhir-rare-disease", _rank)


@fhir.get("/RiskAssessment/<prediction_id>")
def read_risk_assessment(prediction_id: str) -> Response:
    """A stored prediction as a FHIR RiskAssessment of the patient it was made for."""
    actor = authenticate(runtime())
    prediction = shown_prediction(prediction_id, actor)
    if isinstance(prediction, RareAssessment):
        return json_response(rare_risk_assessment(prediction, language=language(actor)), media=FHIR_JSON)
    return json_response(risk_assessment(prediction, language=language(actor)), media=FHIR_JSON)


def _predict(bundle: bytes, actor: Actor) -> Prediction:
    return predict_from(snapshot_from_fhir([bundle], patient_id=None, encounter_id=None, at=runtime().now()), actor)


def _rank(bundle: bytes, actor: Actor) -> RareAssessment:
    snapshot, heard = findings_from_fhir([bundle], patient_id=None, encounter_id=None, at=runtime().now())
    return rank_from(snapshot, heard, _CANDIDATES, actor=actor)


def _label(bundle: bytes, prediction: Prediction | RareAssessment, stored: UUID, actor: Actor) -> None:
    """Enter the diagnoses of the patient's visits as labels of what was predicted before."""
    process = runtime()
    stated = read_visit_diagnoses(bundle, process.tables)
    whose = prediction.snapshot.identity.patient_id
    for label in label_conditions(stated, whose, stored, received(actor), writer=process.writer):
        note_label(label)


def _answer(service: str, conclude: Callable[[bytes, Actor], Prediction | RareAssessment]) -> Response:
    """What is concluded of the Bundle posted, committed first; a repeat gets what was stored."""
    actor = authenticate(runtime())
    parsed = read_json()
    if not isinstance(parsed.document, dict) or parsed.document.get("resourceType") != "Bundle":
        raise BadRequest("the body must be a FHIR Bundle", where="resourceType")
    asked = Asked(
        actor=actor,
        service=service,
        language=language(actor),
        request_hash=content_hash(parsed),
        hook_instance=retry_key(),
        mode=mode_of(actor),
    )
    prediction = conclude(parsed.canonical, actor)
    stored = commit(prediction, asked, None)
    _label(parsed.canonical, prediction, stored.id, actor)
    if asked.mode is Mode.SILENT:
        said = information("assessed and stored; nothing is shown while the tenant is silent")
        return json_response(said, media=FHIR_JSON, status=202)
    if stored.replayed:
        prediction = stored_prediction(str(stored.id), actor)
    if isinstance(prediction, RareAssessment):
        return json_response(rare_bundle(prediction, language=asked.language), media=FHIR_JSON)
    return json_response(assess_bundle(prediction, language=asked.language), media=FHIR_JSON)
