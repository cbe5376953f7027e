"""CDS Hooks from request to committed cards (CDS Hooks 2.0.1; the numbers of its duties are in calls.faults)."""

from __future__ import annotations

import json
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from cds_service.cdshooks.hooks import HOOKS
from tests.conftest import PUBLIC_URL, Clock, Service
from tests.web.calls import (
    BREATHING,
    HEART_RATE,
    PATH,
    PATIENT,
    SPO2,
    TEMPERATURE,
    Json,
    body_of,
    bundle,
    card,
    cards,
    fixture,
    observation,
    patient,
    post,
)

STATES = ["null", "empty", "partial", "operation-outcome", "operation-outcome-in-bundle", "paged"]


def rows(service: Service, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(service.database) as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    return found


def healthy() -> Json:
    """A request in which everything is known and nothing is wrong."""
    return fixture("patient-view-healthy")


# Discovery


def test_discovery_lists_every_hook_with_what_each_entry_owes(client: FlaskClient) -> None:
    response = client.get("/cds-services")
    services = json.loads(response.data)["services"]

    assert (response.status_code, response.content_type) == (200, "application/json")
    assert {(entry["id"], entry["hook"]) for entry in services} == {
        *(("vitals-risk", hook) for hook in ("patient-view", "encounter-start", "encounter-discharge")),
        ("diagnosis-label", "problem-list-item-create"),
        ("rare-disease", "patient-view"),
    }
    for entry in services:
        assert all(entry[name] for name in ("hook", "description", "id", "title", "usageRequirements"))
        assert re.fullmatch(r"\d+\.\d+\.\d+", entry["version"])


def test_prefetch_templates_use_only_tokens_their_hook_offers(client: FlaskClient) -> None:
    for entry in json.loads(client.get("/cds-services").data)["services"]:
        required = {field.name for field in HOOKS[entry["hook"]] if field.token and field.required}
        for template in entry.get("prefetch", {}).values():
            tokens = re.findall(r"{{(.*?)}}", template)
            assert {token.removeprefix("context.") for token in tokens} <= required
            assert all(token.startswith("context.") for token in tokens)
            assert re.fullmatch(r"[A-Z]\w+(/{{[\w.]+}}|\?[\w:=&{}.,-]+)", template)


def test_discovery_speaks_spanish(client: FlaskClient) -> None:
    spanish = json.loads(client.get("/cds-services", headers={"Accept-Language": "es-MX,es;q=0.9"}).data)
    english = json.loads(client.get("/cds-services", headers={"Accept-Language": "en"}).data)

    assert "Signos" in spanish["services"][0]["title"] or "Constantes" in spanish["services"][0]["title"]
    templates = [[entry.get("prefetch") for entry in said["services"]] for said in (spanish, english)]
    assert templates[0] == templates[1]


# The three hooks and the six states of a prefetch key


@pytest.mark.parametrize("name", ["patient-view-full", "encounter-start-full", "patient-view-without-encounter"])
def test_a_patient_with_pneumonia_gets_a_critical_card(client: FlaskClient, name: str) -> None:
    found = card(client, fixture(name))

    assert found["indicator"] == "critical"
    assert "NEWS2 at least 9 (oxygen unknown): reaches the emergency threshold" in found["summary"]
    for section in ("Why", "NEWS2", "State", "Used", "Would help most"):
        assert f"**{section}" in found["detail"]
    assert "Demonstration, not for clinical use." in found["detail"]
    assert [link["url"] for link in found["links"]] == [
        f"{PUBLIC_URL}/predictions/{found['uuid']}",
        f"{PUBLIC_URL}/models/risk/1.0.0/card",
    ]


def test_the_same_patient_at_discharge(client: FlaskClient) -> None:
    found = card(client, fixture("encounter-discharge-full"))

    assert found["summary"].startswith("NEWS2 0")
    assert found["indicator"] != "critical"


def test_nothing_to_say_is_an_empty_list(service: Service) -> None:
    response = post(service.client, healthy())

    assert (response.status_code, json.loads(response.data)) == (200, {"cards": []})
    assert rows(service, "SELECT shown FROM predictions") == [(0,)]


@pytest.mark.parametrize("name", ["state-absent", "state-no-prefetch"])
def test_required_data_not_sent_is_412_naming_the_key(service: Service, name: str) -> None:
    response = post(service.client, fixture(name))

    assert response.status_code == 412
    [issue] = json.loads(response.data)["issue"]
    assert issue["code"] == "required"
    assert issue["expression"][0].startswith("prefetch.")
    assert rows(service, "SELECT id FROM predictions") == []


@pytest.mark.parametrize("state", ["null", "empty"])
def test_no_readings_is_an_info_card_that_names_what_is_missing(client: FlaskClient, state: str) -> None:
    found = card(client, fixture(f"state-{state}"))

    assert found["indicator"] == "info"
    assert "No usable vital signs" in found["summary"]
    assert "**Would help most:** consciousness, oxygen, breathing" in found["detail"]


@pytest.mark.parametrize("state", ["operation-outcome", "operation-outcome-in-bundle"])
def test_the_clients_own_failure_is_said_and_nothing_is_concluded_from_it(client: FlaskClient, state: str) -> None:
    found = card(client, fixture(f"state-{state}"))

    assert found["indicator"] == "info"
    assert "**Note:** The EHR's query for observations failed." in found["detail"]


def test_a_paged_bundle_is_used_and_the_card_says_it_is_not_all(client: FlaskClient) -> None:
    found = card(client, fixture("state-paged"))

    assert found["indicator"] == "critical"
    assert "Of observations only the first page was read." in found["detail"]


def test_a_partial_prefetch_is_scored_with_what_is_there(client: FlaskClient) -> None:
    found = card(client, fixture("state-partial"))

    assert "NEWS2 at least 9" in found["summary"]
    assert "class of this encounter unknown" in found["detail"]


@pytest.mark.parametrize("state", STATES)
def test_every_state_keeps_the_shape_of_cards_in_both_languages(client: FlaskClient, state: str) -> None:
    for language in ("en", "es"):
        cards(client, fixture(f"state-{state}"), Accept_Language=language)


def test_keys_nobody_asked_for_and_extensions_are_tolerated(client: FlaskClient) -> None:
    body = fixture()
    plain = card(client, body)
    body["prefetch"]["somethingElse"] = {"resourceType": "Patient", "id": "another"}
    more = {**body, "hookInstance": str(uuid4()), "extension": {"org.example": [1]}, "unknown": True}

    assert card(client, more)["detail"] == plain["detail"]


def test_a_card_in_spanish_has_the_same_numbers(client: FlaskClient) -> None:
    english, spanish = (card(client, fixture(), Accept_Language=language) for language in ("en-GB", "es-ES,es;q=0.8"))

    assert "**Estado" in spanish["detail"]
    assert "umbral" in spanish["summary"]
    assert spanish["indicator"] == english["indicator"]
    assert [reason["code"] for reason in spanish["overrideReasons"]] == [
        reason["code"] for reason in english["overrideReasons"]
    ]


# Repeats


def test_a_repeat_gets_the_same_bytes_even_much_later_and_leaves_one_row(service: Service, clock: Clock) -> None:
    body = fixture()
    first = post(service.client, body).data
    clock.moment += timedelta(minutes=20)

    assert post(service.client, body).data == first
    assert post(service.client, json.dumps(body, indent=3, sort_keys=True).encode()).data == first
    assert rows(service, "SELECT count(*) FROM predictions") == [(1,)]


def test_a_refreshed_token_does_not_make_it_another_request(service: Service) -> None:
    body = fixture("with-access")
    first = post(service.client, body).data
    body["fhirAuthorization"]["access_token"] = "another-token"

    assert post(service.client, body).data == first


def test_eight_at_once_get_the_same_bytes_and_leave_one_row(service: Service) -> None:
    body, together = fixture(), Barrier(8)

    def call(_: int) -> bytes:
        together.wait()
        return post(service.client, body).data

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(call, range(8)))

    assert len(answers) == 1
    assert rows(service, "SELECT count(*) FROM predictions") == [(1,)]


def test_other_content_under_the_same_instance_is_409(service: Service) -> None:
    body = fixture()
    post(service.client, body)
    body["prefetch"]["patient"]["gender"] = "female"
    response = post(service.client, body)

    assert response.status_code == 409
    assert json.loads(response.data)["issue"][0]["code"] == "duplicate"
    assert rows(service, "SELECT count(*) FROM predictions") == [(1,)]


def test_one_call_is_one_prediction_one_audit_row_and_no_name_in_the_database(service: Service) -> None:
    found = card(service.client, fixture())

    assert rows(service, "SELECT count(*) FROM predictions") == [(1,)]
    [(action, object_id)] = rows(service, "SELECT action, object_id FROM audit WHERE object_type <> 'model'")
    assert (action, str(object_id)) == ("prediction-made", found["uuid"]) or found["uuid"] in str(object_id)
    stored = b"".join(path.read_bytes() for path in service.database.parent.glob("cds.db*"))
    assert not [data for data in (b"Ferrer", b"1954-11-02") if data in stored]


def test_reading_a_prediction_is_audited(service: Service) -> None:
    found = card(service.client, fixture())
    for path in (f"/predictions/{found['uuid']}", f"/fhir/RiskAssessment/{found['uuid']}"):
        assert service.client.get(path).status_code == 200

    actions = [
        action for (action,) in rows(service, "SELECT action FROM audit WHERE object_type <> 'model' ORDER BY seq")
    ]
    assert actions[1:] == ["prediction-read", "prediction-read"]


# What is read


def test_another_patients_observation_is_left_out_and_said(client: FlaskClient) -> None:
    others = observation(TEMPERATURE, 41.5, id="not-theirs", subject={"reference": "Patient/somebody-else"})
    found = card(client, body_of(observation(HEART_RATE, 120), others))

    assert "41.5" not in found["summary"]
    assert "another patient" in found["detail"]
    assert "6 of 7 inputs unknown" in found["summary"]


@pytest.mark.parametrize(
    ("base", "is_left_out"), [("https://ehr.example.org/fhir", False), ("https://b.example", True)]
)
def test_the_same_id_on_another_server_than_the_callers_is_another_patient(
    client: FlaskClient, base: str, is_left_out: bool
) -> None:
    sent = observation(HEART_RATE, 128, subject={"reference": f"{base}/Patient/{PATIENT}"})

    found = card(client, body_of(sent, fhirServer="https://ehr.example.org/fhir"))

    assert ("another patient" in found["detail"]) is is_left_out


def test_another_patients_resource_is_refused(client: FlaskClient) -> None:
    body = fixture()
    body["prefetch"]["patient"] = patient(id="somebody-else")
    response = post(client, body)

    assert response.status_code == 422
    assert b"somebody-else" not in response.data


LEFT_OUT = [
    pytest.param({"status": "entered-in-error"}, "entered in error", id="entered-in-error"),
    pytest.param({"valueQuantity": {"value": 98.6, "code": "furlong"}}, "unit", id="unknown-unit"),
    pytest.param({"valueQuantity": {"value": 38.0}}, "unit", id="no-unit"),
    pytest.param({"effectiveDateTime": "2026-03-13T09:00:00+01:00"}, "old", id="stale"),
    pytest.param({"effectiveDateTime": "2026-03-15T09:00:00+01:00"}, "future", id="future"),
    pytest.param({"effectiveDateTime": None}, "time", id="no-time"),
    pytest.param({"status": "cancelled"}, "cancel", id="cancelled"),
]


@pytest.mark.parametrize(("members", "said"), LEFT_OUT)
def test_a_reading_that_is_not_used_is_named_with_its_reason(client: FlaskClient, members: Json, said: str) -> None:
    found = card(client, body_of(observation(HEART_RATE, 120), observation(TEMPERATURE, 39.5, **members)))
    not_used = found["detail"].partition("**Not used:** ")[2].partition("\n")[0]

    assert "temperature" in not_used
    assert said in not_used
    assert "temperature" in found["summary"] or "inputs unknown" in found["summary"]


def test_known_units_are_converted(client: FlaskClient) -> None:
    in_fahrenheit = {"value": 104.0, "system": "http://unitsofmeasure.org", "code": "[degF]"}
    found = card(client, body_of(observation(TEMPERATURE, 0, valueQuantity=in_fahrenheit)))

    assert "40 °C" in found["detail"] or "40.0 °C" in found["detail"]


def test_an_impossible_value_comes_first(client: FlaskClient) -> None:
    found = card(client, body_of(observation(HEART_RATE, 0), observation(BREATHING, 16), observation(SPO2, 98)))

    assert found["summary"].startswith("heart rate 0")
    assert found["detail"].startswith("**Check the patient:**")
    assert found["indicator"] in ("warning", "critical")


def test_the_detail_names_every_reading_used_and_where_it_came_from(client: FlaskClient) -> None:
    detail = card(client, body_of(observation(HEART_RATE, 120), observation(SPO2, 91)))["detail"]

    assert "heart rate 120/min (Observation/o-8867-4)" in detail
    assert "SpO2 91 % (Observation/o-59408-5)" in detail
    assert "08:25, 15 min ago" in detail


def test_the_order_of_resources_changes_nothing(client: FlaskClient) -> None:
    readings = [observation(HEART_RATE, 120), observation(SPO2, 91), observation(BREATHING, 24)]
    one, other = body_of(*readings), body_of(*reversed(readings))

    assert card(client, one)["detail"] == card(client, other)["detail"]


def test_an_entry_cap_is_413(client: FlaskClient) -> None:
    body = body_of()
    body["prefetch"]["observations"] = bundle(*[{"resourceType": "Observation"}] * 2001)
    response = post(client, body)

    assert response.status_code == 413
    assert json.loads(response.data)["issue"][0]["code"] == "too-long"


@pytest.mark.parametrize("value", [5, "text", [], True, [[{}]]])
def test_a_prefetch_value_of_another_type_is_400_naming_it(client: FlaskClient, value: object) -> None:
    body = fixture()
    body["prefetch"]["observations"] = value
    response = post(client, body)

    assert response.status_code == 400
    assert json.loads(response.data)["issue"][0]["expression"] == ["prefetch.observations"]


def test_an_encounter_hook_demands_its_encounter(client: FlaskClient) -> None:
    body = fixture("encounter-start-full")
    del body["context"]["encounterId"]

    response = post(client, body)

    assert response.status_code == 400
    assert json.loads(response.data)["issue"][0]["expression"] == ["context.encounterId"]


def test_a_hook_this_service_does_not_answer_is_400(client: FlaskClient) -> None:
    response = post(client, {**fixture(), "hook": "order-sign"})

    assert response.status_code == 400
    assert "patient-view" in response.text


def test_the_patients_id_is_in_no_card(client: FlaskClient) -> None:
    for name in ("patient-view-full", "state-partial", "with-access"):
        text = json.dumps(card(client, fixture(name)))
        assert not [data for data in (PATIENT, "Ferrer", "1954-11-02") if data in text]


def test_discovery_and_calls_are_shared_with_listed_pages_only(client: FlaskClient) -> None:
    for origin, named in (("https://ehr.example.org", True), ("https://evil.example", False), ("null", False)):
        for response in (
            client.get("/cds-services", headers={"Origin": origin}),
            post(client, fixture(), Origin=origin),
            client.options(PATH, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}),
            post(client, b"{", Origin=origin),
        ):
            assert ("Access-Control-Allow-Origin" in response.headers) is named
            assert response.headers["Vary"] == "Origin"
