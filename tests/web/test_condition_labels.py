"""Diagnoses of a visit in an assessed Bundle are labels of what was predicted of the patient before, never of that."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.storage.audit_log import verify_chain
from tests.conftest import NOW, Clock, Service
from tests.web.calls import HEART_RATE, Json, bundle, observation, patient, post
from tests.web.feedback_calls import acting, stored
from tests.web.test_diagnoses import condition

ASSESS = "/fhir/$assess"
CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
TODAY = NOW.date().isoformat()


@pytest.fixture
def client(service: Service) -> FlaskClient:
    return acting(service)


def of_visit(
    code: str = "J18.9", verification: str = "confirmed", kind: str = "encounter-diagnosis", **members: Any
) -> Json:
    category = [{"coding": [{"system": CATEGORY, "code": kind}]}]
    return {**condition(code, verification=verification, **members), "category": category}


def assess(client: FlaskClient, *conditions: Json, **headers: str) -> str:
    """The id of the prediction made of a Bundle with these Conditions."""
    sent = bundle(patient(), observation(HEART_RATE, 88), *conditions, kind="collection")
    answer = post(client, sent, path=ASSESS, **headers)
    assert answer.status_code == 200, answer.text
    return str(json.loads(answer.data)["entry"][0]["resource"]["id"])


def later(clock: Clock, minutes: int = 60) -> None:
    clock.moment += timedelta(minutes=minutes)


def labels(service: Service) -> list[Any]:
    return stored(
        service, "SELECT kind, source, code, author, saw_prediction, prediction_id FROM labels ORDER BY rowid"
    )


def test_a_diagnosis_is_a_label_of_what_was_predicted_before(
    service: Service, client: FlaskClient, clock: Clock
) -> None:
    first = assess(client)
    later(clock)

    assess(client, of_visit(recordedDate=TODAY))

    assert labels(service) == [("label", "fhir-condition", "J18.9", "", "unknown", None)]
    shown = json.loads(client.get(f"/predictions/{first}/labels").data)["labels"]
    assert [(one["diagnosis"]["code"], one["about"], one["status"]) for one in shown] == [
        ("J18.9", "patient", "current")
    ]
    assert stored(service, "SELECT count(*) FROM audit WHERE action = 'label'") == [1]
    assert verify_chain(service.runtime.engine, service.runtime.keyring) is None


def test_nothing_is_a_label_of_the_prediction_it_was_an_input_of(
    service: Service, client: FlaskClient, clock: Clock
) -> None:
    assess(client, of_visit())

    assert labels(service) == []
    later(clock)
    assess(client, of_visit(), Idempotency_Key="once")
    assess(client, of_visit(), Idempotency_Key="once")
    assert len(labels(service)) == 1


@pytest.mark.parametrize(
    "not_one",
    [
        of_visit(verification="provisional"),
        of_visit(verification="differential"),
        of_visit(verificationStatus=None),
        of_visit(clinicalStatus={"coding": [{"code": "resolved"}]}),
        of_visit(kind="problem-list-item"),
        of_visit(recordedDate="2025-11-02"),
        of_visit(subject={"reference": "Patient/another"}),
        of_visit(code="not a code"),
    ],
    ids=["provisional", "differential", "unsaid", "resolved", "history", "old", "another's", "unknown code"],
)
def test_what_is_no_present_confirmed_diagnosis_of_the_visit_is_no_label(
    service: Service, client: FlaskClient, clock: Clock, not_one: Json
) -> None:
    assess(client)
    later(clock)

    assess(client, not_one)

    assert labels(service) == []


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error"])
def test_a_diagnosis_taken_back_is_withdrawn(
    service: Service, client: FlaskClient, clock: Clock, verification: str
) -> None:
    first = assess(client)
    later(clock)
    assess(client, of_visit())
    later(clock)

    assess(client, of_visit(verification=verification))

    shown = json.loads(client.get(f"/predictions/{first}/labels").data)["labels"]
    assert sorted((one["kind"], one["status"]) for one in shown) == [("label", "withdrawn"), ("withdrawal", "no-label")]


@pytest.mark.parametrize("meta", [None, {"lastUpdated": f"{TODAY}T07:00:00Z"}], ids=["no version", "one version"])
def test_a_diagnosis_that_comes_with_every_bundle_is_entered_once(
    service: Service, client: FlaskClient, clock: Clock, meta: Json | None
) -> None:
    for _ in range(4):
        assess(client, of_visit(meta=meta))
        later(clock)

    assert len(labels(service)) == 1


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_versions_count_by_their_own_time_in_whatever_order_they_come(
    service: Service, client: FlaskClient, clock: Clock, order: tuple[int, ...]
) -> None:
    versions = [
        of_visit(verification=verification, meta={"lastUpdated": f"{TODAY}T{hour}:00:00Z"})
        for hour, verification in enumerate(("confirmed", "refuted", "confirmed"), 10)
    ]
    first = assess(client)
    later(clock, 240)
    for number in order:
        later(clock)
        assess(client, versions[number])

    shown = json.loads(client.get(f"/predictions/{first}/labels").data)["labels"]
    assert [one["status"] for one in shown].count("current") == 1


def test_what_another_environment_or_tenant_predicted_gets_no_label(service: Service, clock: Clock) -> None:
    assess(acting(service, environment="test"))
    assess(acting(service, tenant="elsewhere"))
    later(clock)

    assess(acting(service), of_visit())

    assert labels(service) == []
