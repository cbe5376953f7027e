"""The service `diagnosis-label`: Conditions of a problem list become labels of the patient."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from cds_service.domain.codes import ICD10CM, SNOMED
from tests.conftest import Service
from tests.web.calls import PATIENT, Json, bundle, faults, fixture, is_json_failure, post
from tests.web.feedback_calls import a_card, acting, ago, overridden, report, stored

PATH = "/cds-services/diagnosis-label"
DOCTOR = "Practitioner/example"


@pytest.fixture
def client(service: Service) -> FlaskClient:
    return acting(service)


def condition(code: str = "J18.9", system: str = ICD10CM, /, verification: str = "confirmed", **members: Any) -> Json:
    """A present Condition of the patient."""
    built = {
        "resourceType": "Condition",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": verification}]},
        "code": {"coding": [{"system": system, "code": code, "display": "Tomás Ferrer's illness"}]},
        **members,
    }
    return {name: value for name, value in built.items() if value is not None}


def written(*conditions: Json, **members: Any) -> Json:
    """The call of a client in whose problem list these were written."""
    return {
        "hook": "problem-list-item-create",
        "hookInstance": str(uuid4()),
        "context": {"userId": DOCTOR, "patientId": PATIENT, "conditions": bundle(*conditions, kind="collection")},
        **members,
    }


def take(client: FlaskClient, *conditions: Json) -> None:
    answered = post(client, written(*conditions), PATH)
    assert (answered.status_code, answered.data) == (200, b'{"cards":[]}'), answered.text
    assert faults(json.loads(answered.data)) == []


def about(client: FlaskClient, prediction: str) -> list[tuple[str, str]]:
    labels = json.loads(client.get(f"/predictions/{prediction}/labels").data)["labels"]
    return [(one["diagnosis"]["code"], one["status"]) for one in labels if one["about"] == "patient"]


def test_it_is_listed_with_its_hook_and_version(client: FlaskClient) -> None:
    [entry] = [
        one for one in json.loads(client.get("/cds-services").data)["services"] if one["id"] == "diagnosis-label"
    ]

    assert (entry["hook"], entry["hookVersion"]) == ("problem-list-item-create", "0.1.0")
    assert "prefetch" not in entry


def test_a_diagnosis_becomes_a_label_of_the_patient_and_of_what_was_predicted_for_them(
    service: Service, client: FlaskClient
) -> None:
    prediction = a_card(client)

    take(client, condition(), condition("44054006", SNOMED))

    assert sorted(about(client, prediction)) == [("44054006", "current"), ("J18.9", "current")]
    [row] = set(stored(service, "SELECT source, author, actor, saw_prediction, category, sealed FROM labels"))
    assert row == ("condition", DOCTOR, "local", "unknown", None, None)


def test_nothing_of_the_patient_is_stored_readably(service: Service, client: FlaskClient) -> None:
    take(client, condition())
    service.runtime.drain()

    kept = b"".join(path.read_bytes() for path in service.database.parent.glob("cds.db*"))
    assert [part for part in (PATIENT, "Ferrer") if part.encode() in kept] == []


def test_another_patients_predictions_are_not_labelled(service: Service, client: FlaskClient) -> None:
    body = fixture()
    other = json.loads(json.dumps(body).replace(PATIENT, "other-patient"))
    prediction = json.loads(post(client, other).data)["cards"][0]["uuid"]

    take(client, condition())

    assert about(client, prediction) == []


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error"])
def test_a_diagnosis_taken_back_no_longer_counts(client: FlaskClient, verification: str) -> None:
    prediction = a_card(client)
    take(client, condition(meta={"lastUpdated": ago(3)}), condition("E11.9", meta={"lastUpdated": ago(3)}))
    take(client, condition(verification=verification, meta={"lastUpdated": ago(2)}, clinicalStatus=None))

    assert sorted(about(client, prediction)) == [("E11.9", "current"), ("J18.9", "no-label"), ("J18.9", "withdrawn")]


def test_versions_of_a_condition_may_come_in_any_order(service: Service) -> None:
    found = set()
    versions = [("confirmed", 4), ("refuted", 3), ("confirmed", 2), ("entered-in-error", 1)]
    for number, order in enumerate(permutations(range(4))):
        client = acting(service, tenant=f"t{number}")
        prediction = a_card(client)
        for place in order:
            verification, minutes = versions[place]
            take(client, condition(verification=verification, recordedDate=ago(minutes)))
        found.add(tuple(sorted(about(client, prediction))))

    assert found == {(*[("J18.9", "no-label")] * 2, *[("J18.9", "withdrawn")] * 2)}


LEFT_OUT = {
    "provisional": condition(verification="provisional"),
    "resolved": condition(clinicalStatus={"coding": [{"code": "resolved"}]}),
    "no code": condition(code=None),
    "local code": condition("77", "urn:local"),
    "words as a code": condition("pneumonia"),
    "not a Condition": {"resourceType": "Procedure", "id": "1"},
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_no_recorded_diagnosis_is_left_out(service: Service, client: FlaskClient, case: str) -> None:
    take(client, LEFT_OUT[case], condition("E11.9"))

    assert stored(service, "SELECT code FROM labels") == ["E11.9"]


REFUSED = {
    "of another patient": condition(subject={"reference": "Patient/other"}),
    "of another server": condition(subject={"reference": f"https://b.example/Patient/{PATIENT}"}),
    "status of another type": condition(verificationStatus="confirmed"),
    "code of another type": condition(code="J18.9"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_condition_that_cannot_be_believed_refuses_the_call(service: Service, client: FlaskClient, case: str) -> None:
    answered = post(client, written(condition("E11.9"), REFUSED[case], fhirServer="https://ehr.example.org/fhir"), PATH)

    assert answered.status_code == 422
    assert is_json_failure(answered)
    assert stored(service, "SELECT count(*) FROM labels") == [0]


@pytest.mark.parametrize(
    "conditions", [None, [], "x", {"resourceType": "Condition"}, {}], ids=["null", "list", "text", "Condition", "empty"]
)
def test_conditions_that_are_no_bundle_are_400(client: FlaskClient, conditions: object) -> None:
    body = written()
    body["context"]["conditions"] = conditions
    answered = post(client, body, PATH)

    assert answered.status_code == 400
    assert "context.conditions" in answered.text
    assert is_json_failure(answered)


def test_a_repeat_gets_the_stored_reply_and_other_content_is_409(service: Service, client: FlaskClient) -> None:
    body = written(condition())
    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(lambda _: post(service.client, body, PATH).data, range(8)))
    other = {**written(condition("E11.9")), "hookInstance": body["hookInstance"]}

    assert answers == {b'{"cards":[]}'}
    assert post(client, other, PATH).status_code == 409
    assert stored(service, "SELECT code FROM labels") == ["J18.9"]
    assert stored(service, "SELECT count(*) FROM hook_calls") == [1]


def test_a_bundle_of_nothing_is_no_error(service: Service, client: FlaskClient) -> None:
    take(client)

    assert stored(service, "SELECT count(*) FROM labels") == [0]


def test_its_calls_show_no_card_to_report_on(client: FlaskClient) -> None:
    assert report(client, overridden(a_card(client)), path=f"{PATH}/feedback").status_code == 404
