"""The plain REST addresses: a flat record in, a stored prediction out, read again and explained."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Service
from tests.web.calls import is_json_failure, minutes_ago, post

ILL = {
    "age": 71,
    "sex": "female",
    "heart_rate": 128,
    "respiratory_rate": 26,
    "temperature": 38.4,
    "systolic_bp": 92,
    "diastolic_bp": 60,
    "spo2": 91,
    "consciousness": "alert",
    "on_oxygen": False,
}


def answer(response: TestResponse) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    assert response.content_type == "application/json"
    document: dict[str, Any] = json.loads(response.data)
    return document


def by_query(client: FlaskClient, **fields: object) -> TestResponse:
    return client.get("/predict", query_string=fields)


def by_body(client: FlaskClient, **fields: object) -> TestResponse:
    return post(client, fields, path="/predict")


def content(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "id"}


def test_query_and_body_give_the_same_prediction(client: FlaskClient) -> None:
    assert content(answer(by_query(client, **ILL))) == content(answer(by_body(client, **ILL)))


def test_an_ill_patient(client: FlaskClient) -> None:
    document = answer(by_body(client, **ILL))

    assert document["news2"]["score"] == 11  # 3 breathing, 3 SpO2, 2 pressure, 2 pulse, 1 temperature
    assert document["news2"]["level"] == "high"
    assert document["risk"]["band"] == "high"
    assert 0 < document["risk"]["probability"] < 1
    assert [state["state"] for state in document["states"]] == ["acute"]
    assert document["disclaimer"] == "Demonstration, not for clinical use."


def test_a_well_patient(client: FlaskClient) -> None:
    usual = {"age": 34, "heart_rate": 72, "respiratory_rate": 14, "temperature": 36.8, "spo2": 99}
    document = answer(by_body(client, **{**ILL, **usual, "systolic_bp": 122, "diastolic_bp": 78}))

    assert (document["news2"]["score"], document["risk"]["band"]) == (0, "low")


def test_blood_pressure_is_the_systolic_one(client: FlaskClient) -> None:
    assert answer(by_query(client, age=50, blood_pressure=85))["news2"]["points"]["systolic_bp"] == 3


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"temperature": 101.3, "temperature_unit": "[degF]"}, 38.5),
        ({"temperature": "38,5"}, 38.5),
        ({"weight": 154.32, "weight_unit": "[lb_av]"}, 70.0),
    ],
)
def test_units_are_converted(client: FlaskClient, fields: dict[str, object], expected: float) -> None:
    [used] = answer(by_query(client, age=50, **fields))["used"]

    assert used["value"] == pytest.approx(expected, abs=0.01)


def test_what_cannot_be_true_is_left_out_with_its_reason(client: FlaskClient) -> None:
    document = answer(by_query(client, age=50, heart_rate=999, temperature=38, temperature_unit="parsec"))

    assert {reading["name"]: reading["reason"] for reading in document["not_used"]} == {
        "heart_rate": "implausible",
        "temperature": "unknown-unit",
    }
    assert document["used"] == []


def test_an_old_record_is_not_scored(client: FlaskClient) -> None:
    document = answer(by_query(client, age=50, heart_rate=120, observed_at=minutes_ago(600)))

    assert [reading["reason"] for reading in document["not_used"]] == ["stale"]
    assert document["risk"] == {"omitted": "no-vitals"}


def test_nothing_measured_says_what_would_help(client: FlaskClient) -> None:
    document = answer(by_query(client, age=50))

    assert document["news2"] == {"omitted": "no-inputs"}
    assert document["would_help"][:2] == ["consciousness", "on_oxygen"]


@pytest.mark.parametrize(
    ("fields", "omitted"),
    [({"age": 9}, "under-16"), ({"age": 30, "pregnant": "true"}, "pregnant"), ({}, "age-unknown")],
)
def test_news2_is_not_given_where_it_is_not_valid(client: FlaskClient, fields: dict[str, object], omitted: str) -> None:
    assert answer(by_query(client, heart_rate=120, **fields))["news2"] == {"omitted": omitted}


WRONG = [
    ("age", "Jane Doe"),
    ("age", "-1"),
    ("age", "999"),
    ("age", "NaN"),
    ("heart_rate", "Jane Doe"),
    ("heart_rate", "1e999"),
    ("heart_rate", "inf"),
    ("sex", "Jane Doe"),
    ("consciousness", "Jane Doe"),
    ("on_oxygen", "Jane Doe"),
    ("pregnant", "Jane Doe"),
    ("conditions", "Jane Doe"),
    ("chronic_count", "1.5"),
    ("spo2_scale", "3"),
    ("observed_at", "Jane Doe"),
    ("observed_at", "2026-03-14T08:00:00"),
    ("observed_at", "2030-01-01T00:00:00Z"),
    ("observed_at", "0001-01-01T00:00:00+14:00"),
    ("observed_at", "9999-12-31T23:59:59-14:00"),
    ("encounter_class", "Jane Doe"),
    ("complaint", "Jane Doe" * 100),
    ("blood_group", "Jane Doe"),
    ("no_such_field", "Jane Doe"),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_value_is_400_naming_its_field_and_never_repeating_it(service: Service, field: str, value: str) -> None:
    for call in (by_query, by_body):
        response = call(service.client, **{"spo2": 97, field: value})
        assert response.status_code == 400
        assert is_json_failure(response)
        assert json.loads(response.data)["where"] == field
        assert value not in response.text
    assert "Jane" not in service.log.read_text()


def test_scale_two_is_scored_when_it_says_who_decided_it_and_when(client: FlaskClient) -> None:
    decided = {"spo2_scale": 2, "spo2_scale_by": "Dr R", "spo2_scale_at": minutes_ago(20)}

    assert answer(by_body(client, age=71, spo2=90, **decided))["news2"]["scale"] == 2
    stale = answer(by_body(client, age=71, spo2=90, **decided | {"spo2_scale_at": minutes_ago(60 * 48)}))
    assert (stale["news2"]["scale"], stale["remarks"]) == (1, ["spo2-scale-record-not-current"])


def test_scale_two_of_nobody_is_400_that_names_what_to_send(service: Service) -> None:
    for call, whose in ((by_query, {}), (by_body, {"spo2_scale_by": "Dr Jane Doe"})):
        response = call(service.client, age=71, spo2=90, spo2_scale=2, **whose)
        problem = json.loads(response.data)
        assert (response.status_code, problem["where"]) == (400, "spo2_scale")
        assert "spo2_scale_at" in problem["detail"]
        assert "Jane" not in response.text + service.log.read_text()


@pytest.mark.parametrize("field", ["patient_id", "patient_name", "spo2_scale_by"])
def test_an_address_that_names_somebody_is_refused_and_says_to_post(service: Service, field: str) -> None:
    refused = by_query(service.client, age=71, heart_rate=128, **{field: "Jane Doe"})

    problem = json.loads(refused.data)
    assert (refused.status_code, problem["where"]) == (400, field)
    assert "send it by POST" in problem["detail"]
    assert "Jane" not in refused.text + service.log.read_text()
    assert service.stored.rows("SELECT count(*) FROM predictions") == [(0,)]


@pytest.mark.parametrize("value", [True, [], {}, [70], {"v": 70}, "", None])
def test_a_value_of_another_type_is_refused_or_counts_as_not_given(client: FlaskClient, value: object) -> None:
    response = by_body(client, heart_rate=value)
    if value in ("", None):
        assert answer(response)["used"] == []
    else:
        assert (response.status_code, json.loads(response.data)["where"]) == (400, "heart_rate")


def test_a_name_given_twice_is_400(client: FlaskClient) -> None:
    assert client.get("/predict?age=50&age=60").status_code == 400
    assert client.get("/predict?blood_pressure=120&systolic_bp=130").status_code == 400
    assert post(client, b'{"age": 50, "age": 60}', path="/predict").status_code == 400


@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"age"', b"", b"{", b"age=50"])
def test_a_body_that_is_no_object_is_a_problem(client: FlaskClient, body: bytes) -> None:
    response = post(client, body, path="/predict")

    assert response.status_code == 400
    assert is_json_failure(response)


def test_a_form_is_415(client: FlaskClient) -> None:
    response = client.post("/predict", data={"age": "50"})

    assert response.status_code == 415
    assert is_json_failure(response)


def test_a_prediction_is_read_again_as_it_was_answered(service: Service) -> None:
    first = answer(by_body(service.client, **ILL, patient_id="4711-secret"))
    again = answer(service.client.get(f"/predictions/{first['id']}"))

    assert again == first
    assert "4711-secret" not in json.dumps(again)


def test_its_explanation_adds_up(client: FlaskClient) -> None:
    document = answer(by_body(client, **ILL))
    explained = answer(client.get(f"/predictions/{document['id']}/explain"))

    assert explained["drivers"] == document["risk"]["drivers"]
    assert explained["news2_points"] == document["news2"]["points"]
    assert explained["unit"] == "log-odds"


def test_the_explanation_of_a_prediction_without_risk_says_why(client: FlaskClient) -> None:
    document = answer(by_query(client, age=9, heart_rate=120))
    explained = answer(client.get(f"/predictions/{document['id']}/explain"))

    assert (explained["drivers"], explained["omitted"]) == ([], "under-18")


@pytest.mark.parametrize("address", ["/predictions/{}", "/predictions/{}/explain", "/fhir/RiskAssessment/{}"])
@pytest.mark.parametrize("identifier", ["1", "' OR 1=1 --", "%00", "a" * 300, "new"])
def test_an_unknown_prediction_is_404_and_not_repeated(client: FlaskClient, address: str, identifier: str) -> None:
    identifier = str(uuid4()) if identifier == "new" else identifier
    response = client.get(address.format(identifier))

    assert response.status_code == 404
    assert is_json_failure(response)
    assert identifier == "1" or identifier not in response.text


def test_every_prediction_and_every_read_is_audited(service: Service) -> None:
    identifier = answer(by_body(service.client, **ILL))["id"]
    service.client.get(f"/predictions/{identifier}")
    service.client.get(f"/predictions/{identifier}/explain")
    service.client.get(f"/predictions/{uuid4()}")

    with closing(sqlite3.connect(service.database)) as connection:
        found = connection.execute(
            "SELECT action, object_id FROM audit WHERE object_type <> 'model' ORDER BY seq"
        ).fetchall()
    assert [action for action, _ in found][1:] == ["prediction-read", "prediction-read", "refuse"]
    assert {object_id for action, object_id in found if action != "refuse"} == {identifier}


def test_the_model_card_is_served_and_no_other(client: FlaskClient) -> None:
    response = client.get("/models/risk/1.0.0/card")

    assert (response.status_code, response.mimetype) == (200, "text/markdown")
    assert "#" in response.text
    for path in ("/models/risk/9.9.9/card", "/models/codes/1.0.0/card", "/models/..%2f..%2fetc/passwd/card"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/openapi.json", "/cds-services"])
def test_addresses_open_to_anyone_name_no_patient(client: FlaskClient, path: str) -> None:
    by_body(client, **ILL, patient_id="4711-secret")
    response = client.get(path)

    assert response.status_code == 200
    assert "4711-secret" not in response.text
