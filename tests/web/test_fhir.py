"""The FHIR addresses: a Bundle assessed, the stored prediction read as RiskAssessment, both valid in R4B."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.guidanceresponse import GuidanceResponse
from fhir.resources.R4B.riskassessment import RiskAssessment
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import REPOSITORY, Service
from tests.web.calls import (
    HEART_RATE,
    PATIENT,
    Json,
    bundle,
    card,
    fixture,
    is_json_failure,
    observation,
    patient,
    post,
)

ASSESS = "/fhir/$assess"
TWINS = sorted(path.name for path in (REPOSITORY / "fixtures" / "twins").iterdir())


def twin(name: str) -> bytes:
    return (REPOSITORY / "fixtures" / "twins" / name / "bundle.json").read_bytes()


def assessed(response: TestResponse) -> tuple[Json, Json]:
    """RiskAssessment and GuidanceResponse of an answer that fhir.resources takes as valid."""
    assert response.status_code == 200, response.text
    assert response.content_type == "application/fhir+json"
    Bundle.model_validate_json(response.data)
    document = json.loads(response.data)
    risk, guidance = (entry["resource"] for entry in document["entry"])
    RiskAssessment.model_validate(risk)
    GuidanceResponse.model_validate(guidance)
    return risk, guidance


@pytest.mark.parametrize("name", TWINS)
def test_every_case_is_assessed_validly_and_read_again_the_same(client: FlaskClient, name: str) -> None:
    risk, guidance = assessed(post(client, twin(name), path=ASSESS))
    response = client.get(f"/fhir/RiskAssessment/{risk['id']}")

    assert json.loads(response.data) == risk
    assert response.content_type == "application/fhir+json"
    assert guidance["subject"] == risk["subject"]
    assert risk["note"][-1]["text"] == "Demonstration, not for clinical use."


def test_both_media_types_are_read(client: FlaskClient) -> None:
    for media in ("application/json", "application/fhir+json", "application/fhir+json; charset=utf-8"):
        assert post(client, twin(TWINS[0]), path=ASSESS, Content_Type=media).status_code == 200


def test_the_answer_speaks_spanish(client: FlaskClient) -> None:
    risk, _ = assessed(post(client, twin("sepsis-from-nursing-home"), path=ASSESS, Accept_Language="es"))

    assert risk["language"] == "es"
    assert "no" in risk["note"][-1]["text"].lower()
    assert "Demonstration" not in risk["note"][-1]["text"]


def test_what_is_missing_is_asked_for(client: FlaskClient) -> None:
    _, guidance = assessed(post(client, bundle(patient(), kind="collection"), path=ASSESS))

    assert guidance["status"] == "data-requested"
    assert {requirement["type"] for requirement in guidance["dataRequirement"]} == {"Observation"}


def test_a_card_can_be_read_as_risk_assessment_of_its_patient(client: FlaskClient) -> None:
    found = card(client, fixture())
    risk = json.loads(client.get(f"/fhir/RiskAssessment/{found['uuid']}").data)

    RiskAssessment.model_validate(risk)
    assert risk["subject"] == {"reference": f"Patient/{PATIENT}"}
    assert "Ferrer" not in json.dumps(risk)


REFUSED: list[tuple[object, int]] = [
    (b"{", 400),
    ([], 400),
    ({}, 400),
    ({"resourceType": "Patient", "id": "1"}, 400),
    ({"resourceType": ["Bundle"]}, 400),
    (bundle(kind="collection"), 422),
    (bundle(observation(HEART_RATE, 70)), 422),
    (bundle(patient(), patient(id="another")), 422),
    (bundle(patient(birthDate=5)), 422),
    ({"resourceType": "Bundle", "type": "collection", "entry": {}}, 422),
    ({"resourceType": "Bundle", "type": "collection", "entry": [5]}, 422),
    (bundle(*[patient()] * 2001), 413),
]


@pytest.mark.parametrize(("body", "status"), REFUSED)
def test_what_cannot_be_assessed_is_an_operation_outcome(service: Service, body: object, status: int) -> None:
    response = post(service.client, body, path=ASSESS)

    assert response.status_code == status
    assert is_json_failure(response)
    assert "prediction_logged" not in service.log.read_text()


@pytest.mark.parametrize(
    "name", sorted(path.name for path in (REPOSITORY / "fixtures" / "invalid").iterdir() if path.suffix == ".json")
)
def test_no_invalid_example_is_a_failure_of_the_service(client: FlaskClient, name: str) -> None:
    response = post(client, (REPOSITORY / "fixtures" / "invalid" / name).read_bytes(), path=ASSESS)

    assert response.status_code < 500
    assert response.status_code == 200 or is_json_failure(response)


def test_an_address_of_fhir_nobody_serves(client: FlaskClient) -> None:
    for path in ("/fhir/Patient/1", "/fhir/metadata", "/fhir/$other"):
        response = client.get(path)
        assert response.status_code == 404
        assert is_json_failure(response)


def deep(resource: Any, levels: int) -> Any:
    return resource if levels == 0 else {"resourceType": "Bundle", "entry": [{"resource": deep(resource, levels - 1)}]}


def test_bundles_in_bundles_are_said_or_refused(client: FlaskClient) -> None:
    shallow = {**bundle(patient(), deep(observation(HEART_RATE, 70), 3)), "type": "collection"}

    assert post(client, shallow, path=ASSESS).status_code == 200
    assert post(client, deep(patient(), 80), path=ASSESS).status_code == 400
