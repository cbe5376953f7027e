"""THREATS.md B: what a hook request may mean, number by number, on the whole service."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from flask.testing import FlaskClient

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from tests.conftest import Clock, Service, started
from tests.web.calls import (
    BREATHING,
    HEART_RATE,
    PATIENT,
    SPO2,
    TEMPERATURE,
    Json,
    body_of,
    card,
    cards,
    fixture,
    is_json_failure,
    minutes_ago,
    observation,
    patient,
    post,
    quantity,
)


def count(service: Service, table: str = "predictions") -> int:
    with closing(sqlite3.connect(service.database)) as connection:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


WRONG_MEMBERS = [
    pytest.param({"hook": None}, "hook", id="hook-null"),
    pytest.param({"hook": ["patient-view"]}, "hook", id="hook-list"),
    pytest.param({"hookInstance": None}, "hookInstance", id="instance-null"),
    pytest.param({"hookInstance": "42"}, "hookInstance", id="instance-no-uuid"),
    pytest.param({"hookInstance": 42}, "hookInstance", id="instance-number"),
    pytest.param({"context": None}, "context", id="context-null"),
    pytest.param({"context": []}, "context", id="context-list"),
    pytest.param({"context": {"userId": "Practitioner/1"}}, "context.patientId", id="no-patient"),
    pytest.param({"context": {"patientId": PATIENT}}, "context.userId", id="no-user"),
    pytest.param({"context": {"userId": "Device/1", "patientId": PATIENT}}, "context.userId", id="user-no-person"),
    pytest.param({"context": {"userId": "Patient/1", "patientId": "a b"}}, "context.patientId", id="id-with-blank"),
    pytest.param({"context": {"userId": "Patient/1", "patientId": "x" * 65}}, "context.patientId", id="id-too-long"),
    pytest.param({"prefetch": "all"}, "prefetch", id="prefetch-text"),
    pytest.param({"fhirServer": "file:///etc/passwd"}, "fhirServer", id="server-file"),
    pytest.param(
        {"fhirAuthorization": {"access_token": "a", "token_type": "Bearer"}}, "fhirServer", id="token-without-server"
    ),
]


@pytest.mark.parametrize(("members", "place"), WRONG_MEMBERS)
def test_b15_a_member_missing_or_of_the_wrong_type_is_400_naming_it(
    client: FlaskClient, members: Json, place: str
) -> None:
    body = {**fixture(), **members}
    response = post(client, body)

    assert response.status_code == 400
    assert is_json_failure(response)
    named = [issue["expression"][0] for issue in json.loads(response.data)["issue"] if "expression" in issue]
    assert any(name.startswith(place) for name in named)


@pytest.mark.parametrize("member", ["hook", "hookInstance", "context"])
def test_b15_a_member_not_sent_is_400_naming_it(client: FlaskClient, member: str) -> None:
    body = fixture()
    del body[member]
    response = post(client, body)

    assert response.status_code == 400
    assert json.loads(response.data)["issue"][0]["expression"] == [member]


@pytest.mark.parametrize("document", [None, [], "text", 5, True, [{}]])
def test_b15_a_document_that_is_no_object_is_400(client: FlaskClient, document: object) -> None:
    response = post(client, document)

    assert response.status_code == 400
    assert is_json_failure(response)


def test_b16_a_patient_resource_of_someone_else_is_refused(service: Service) -> None:
    body = fixture()
    body["prefetch"]["patient"]["id"] = "someone-else"
    response = post(service.client, body)

    assert response.status_code == 422
    assert is_json_failure(response)
    assert count(service) == 0


MIXED_UP = [
    {"reference": "Patient/someone-else"},
    {"reference": "https://other.example/fhir/Patient/someone-else"},
    {"reference": f"Group/{PATIENT}"},
    {"reference": f"Patient/{PATIENT}0"},
    {"reference": 5},
]


@pytest.mark.parametrize("subject", MIXED_UP)
def test_b16_an_observation_of_someone_else_is_left_out_and_said(client: FlaskClient, subject: object) -> None:
    found = card(client, body_of(observation(HEART_RATE, 120), observation(TEMPERATURE, 41.7, subject=subject)))

    assert "temperature" not in found["detail"].partition("**Used")[2].partition("\n")[0]
    assert "**Not used:** temperature" in found["detail"]


def test_b16_an_observation_that_names_nobody_is_left_out_and_said(client: FlaskClient) -> None:
    detail = card(client, body_of(observation(HEART_RATE, 120, subject=None)))["detail"]

    assert "**Not used:** heart rate 120" in detail
    assert "patient not stated" in detail


@pytest.mark.parametrize(
    ("status", "said"), [("entered-in-error", "entered in error"), ("cancelled", "cancel"), ("registered", "final")]
)
def test_b17_a_reading_in_a_status_that_does_not_count_is_said(client: FlaskClient, status: str, said: str) -> None:
    found = card(client, body_of(observation(HEART_RATE, 40, status=status), observation(SPO2, 90)))

    assert "heart rate 40" in found["detail"].partition("**Not used:**")[2]
    assert said in found["detail"]


def test_b17_a_preliminary_reading_is_used_and_marked(client: FlaskClient) -> None:
    found = card(client, body_of(observation(HEART_RATE, 135, status="preliminary")))

    assert "heart rate 135/min (Observation/o-8867-4, preliminary)" in found["detail"]


UNITS = [
    pytest.param(TEMPERATURE, quantity(102.2, "[degF]"), "39 °C", True, id="fahrenheit"),
    pytest.param(TEMPERATURE, quantity(102.2, "K"), "temperature 102.2", False, id="kelvin"),
    pytest.param(TEMPERATURE, quantity(39.5, None), "temperature 39.5", False, id="no-unit"),
    pytest.param(TEMPERATURE, {"value": 39.5, "unit": "banana"}, "temperature 39.5", False, id="invented"),
    pytest.param(TEMPERATURE, quantity(102.2, "Cel"), "temperature 102.2", False, id="fahrenheit-called-celsius"),
]


@pytest.mark.parametrize(("code", "value", "shown", "is_used"), UNITS)
def test_b18_known_units_are_converted_and_others_left_out(
    client: FlaskClient, code: str, value: Json, shown: str, is_used: bool
) -> None:
    detail = card(client, body_of(observation(code, 0, valueQuantity=value), observation(HEART_RATE, 70)))["detail"]
    used, _, not_used = detail.partition("**Not used:**")

    assert shown in (used if is_used else not_used or used)
    assert ("39" in used.partition("**Used")[2]) is is_used


EXTREMES = [-40, 0, 99999, 1e308, -1e308, 5e-324, 2**63, -0.0]


@pytest.mark.parametrize("value", EXTREMES)
@pytest.mark.parametrize("code", [HEART_RATE, BREATHING, SPO2, TEMPERATURE])
def test_b19_an_impossible_value_is_shown_as_sent_and_never_scored(
    client: FlaskClient, code: str, value: float
) -> None:
    found = card(client, body_of(observation(code, value)))

    assert "**Check the patient" in found["detail"] or "**Not used:**" in found["detail"]
    assert "**Used" not in found["detail"]
    assert len(found["detail"]) < 2000


@pytest.mark.parametrize("value", ["seventy", "72", True, None, [72], {"v": 72}])
def test_b19_a_value_that_is_no_number_is_left_out_and_said(client: FlaskClient, value: object) -> None:
    detail = card(client, body_of(observation(HEART_RATE, value), observation(SPO2, 91)))["detail"]

    assert "**Not used:** heart rate" in detail
    assert "heart rate 72/min" not in detail


TIMES = [
    pytest.param(minutes_ago(600), "old", id="ten-hours-old"),
    pytest.param(minutes_ago(-60), "future", id="an-hour-ahead"),
    pytest.param("0001-01-01T00:00:00+14:00", "time", id="year-1"),
    pytest.param("9999-12-31T23:59:59-14:00", "time", id="year-9999"),
    pytest.param("2026-02-30T08:00:00Z", "time", id="no-such-day"),
    pytest.param("yesterday", "time", id="no-time"),
    pytest.param(5, "time", id="a-number"),
    pytest.param(None, "time", id="not-sent"),
]


@pytest.mark.parametrize(("time", "said"), TIMES)
def test_b20_a_reading_out_of_its_window_is_left_out_and_said(client: FlaskClient, time: object, said: str) -> None:
    late = observation(TEMPERATURE, 39.9, effectiveDateTime=time)
    detail = card(client, body_of(late, observation(HEART_RATE, 120)))["detail"]

    assert "**Not used:** temperature" in detail
    assert said in detail.partition("**Not used:**")[2].partition("\n")[0]


def test_b20_a_reading_grows_old(client: FlaskClient, clock: Clock) -> None:
    body = body_of(observation(HEART_RATE, 120))
    assert "heart rate 120/min" in card(client, body)["detail"]
    clock.moment += timedelta(hours=5)
    body["hookInstance"] = str(uuid4())

    assert "heart rate 120 /min: 5 h" in card(client, body)["detail"] or "old" in card(client, body)["detail"]


def test_b21_too_little_data_is_an_info_card_naming_what_is_missing(client: FlaskClient) -> None:
    for observations in ((), (observation(HEART_RATE, 70, status="entered-in-error"),)):
        found = card(client, body_of(*observations))
        assert found["indicator"] == "info"
        assert found["summary"].startswith("No usable vital signs")
        assert "**Would help most:**" in found["detail"]
        assert "not determinable" in found["detail"]


def test_b21_a_patient_of_unknown_age_is_not_scored(client: FlaskClient) -> None:
    body = body_of(observation(HEART_RATE, 70))
    body["prefetch"]["patient"] = {"resourceType": "Patient", "id": PATIENT}
    found = card(client, body)

    assert "age" in found["detail"].partition("**Would help most:**")[2]
    assert "ICU risk" not in found["summary"]


def test_b22_retries_from_two_lines_at_once_get_one_answer_and_one_row(service: Service) -> None:
    for _ in range(10):
        body, together = fixture("with-access"), Barrier(2)

        def call(token: str, body: Json = body, together: Barrier = together) -> bytes:
            own = {**body, "fhirAuthorization": {**body["fhirAuthorization"], "access_token": token}}
            together.wait()
            return post(service.client, own).data

        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(call, ("token-1", "token-2"))
        assert one == other

    assert count(service) == 10


def test_b23_the_same_instance_with_another_body_is_409_and_stores_nothing(service: Service) -> None:
    body = fixture()
    first = post(service.client, body).data
    other = {**body, "context": {**body["context"], "patientId": "another"}, "prefetch": body_of()["prefetch"]}
    other["prefetch"]["patient"]["id"] = "another"
    response = post(service.client, other)

    assert response.status_code == 409
    assert is_json_failure(response)
    assert count(service) == 1
    assert post(service.client, body).data == first


def test_b24_answers_are_never_mixed_up(service: Service) -> None:
    """16 at a time, 50 calls each: every answer speaks of the values of its own patient."""

    def work(worker: int) -> list[str]:
        client, wrong = service.client, []
        for n in range(50):
            heart_rate, breathing = 41 + worker * 5, 130 + n
            name = f"p-{worker}-{n}"
            readings = [observation(HEART_RATE, heart_rate), observation(TEMPERATURE, breathing)]
            body = json.loads(json.dumps(body_of(*readings)).replace(PATIENT, name))
            detail = card(client, body)["detail"]
            if f"heart rate {heart_rate}/min" not in detail or f"temperature {breathing} " not in detail:
                wrong.append(name)
        return wrong

    with ThreadPoolExecutor(16) as pool:
        mixed_up = [name for names in pool.map(work, range(16)) for name in names]

    assert mixed_up == []
    assert count(service) == 800


def test_b25_the_same_input_gives_the_same_card(client: FlaskClient) -> None:
    texts = set()
    for _ in range(5):
        found = card(client, fixture())
        identifier = found.pop("uuid")
        texts.add(json.dumps(found).replace(identifier, ""))

    assert len(texts) == 1


INJECTIONS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    "https://evil.example",
    "www.evil.example",
    "`**bold**` | table | \n\n# heading",
    "</code></pre>",
    "\u202egnissecorp",
    "a\r\nSet-Cookie: x=1",
    "{{7*7}} %(x)s {0} %s",
]


def everywhere(text: str) -> Json:
    """A request with the text wherever a sender may write one."""
    body = body_of(
        observation(HEART_RATE, 120, id=text, code=coded(HEART_RATE, text)),
        observation(TEMPERATURE, 39, valueQuantity={"value": 39, "unit": text}),
        observation(SPO2, 0, valueString=text, valueQuantity=None),
        observation(BREATHING, 20, status=text),
    )
    prefetch = body["prefetch"]
    prefetch["patient"] = patient(name=[{"family": text, "text": text}], identifier=[{"system": text, "value": text}])
    visit = prefetch["encounter"]["entry"][0]["resource"]
    visit["reasonCode"] = [{"text": text, "coding": [{"display": text, "system": text, "code": text}]}]
    code = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": text, "display": text}], "text": text}
    prefetch["conditions"] = {
        "resourceType": "Condition",
        "id": text,
        "code": code,
        "subject": observation(SPO2, 1)["subject"],
    }
    return {**body, "extension": {"org.example": text}}


def coded(code: str, text: str) -> Json:
    return {"coding": [{"system": "http://loinc.org", "code": code, "display": text}], "text": text}


@pytest.mark.parametrize("text", INJECTIONS)
def test_b26_text_of_a_sender_does_nothing_in_a_card(client: FlaskClient, text: str) -> None:
    response = post(client, everywhere(text))
    assert response.status_code == 200, response.text
    [found] = json.loads(response.data)["cards"]

    outside_code = "".join(found["detail"].split("`")[::2])
    for active in ("<", "](", "javascript:", "http", "www.", "# heading", "\u202e", "\r", "%(x)s"):
        assert active not in outside_code + found["summary"]
    assert "<" not in found["detail"]
    assert "\r" not in found["detail"]
    assert b"<" not in response.data


def test_b27_a_summary_stays_under_its_limit_and_the_shape_is_kept(client: FlaskClient) -> None:
    bodies: list[Json] = [everywhere(text * 50) for text in INJECTIONS]
    bodies.append(body_of(*[observation(HEART_RATE, 0, id=f"o{n}") for n in range(300)]))
    bodies.append(body_of(observation(HEART_RATE, 0, valueQuantity={"value": 0, "unit": "x" * 5000})))
    for body in bodies:
        for language in ("en", "es"):
            found = cards(client, {**body, "hookInstance": str(uuid4())}, Accept_Language=language)
            assert len(json.dumps(found)) < 20_000


@pytest.mark.parametrize(
    "damaged", [lambda rows: rows[:1], lambda rows: np.full_like(rows, np.nan)], ids=["raises", "not-a-number"]
)
def test_b28_a_model_that_fails_is_503_and_never_an_empty_list(
    service: Service, monkeypatch: pytest.MonkeyPatch, damaged: Callable[[Any], Any]
) -> None:
    predictor = service.runtime.models.serving.risk
    with monkeypatch.context() as outage:
        broken = {
            name: replace(tier, shap=replace(tier.shap, rows=damaged(tier.shap.rows)))
            for name, tier in predictor.tiers.items()
        }
        outage.setattr(predictor, "tiers", broken)
        response = post(service.client, fixture())
        form = service.client.get("/predict?age=70&heart_rate=120")

    for refused in (response, form):
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        assert is_json_failure(refused)
    assert count(service) == 0
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert "128" not in [str(value) for line in lines for name, value in line.items() if name not in ("time", "site")]
    assert not any("128" in str(line.get("reason", "")) for line in lines)
    assert cards(service.client, fixture())


def test_b28_a_locked_database_is_503_in_time_and_taken_up_again(service: Service) -> None:
    cards(service.client, fixture())
    with closing(sqlite3.connect(service.database, isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            begun = monotonic()
            response = post(service.client, fixture())
            assert monotonic() - begun < 2.5
            assert response.status_code == 503
            assert response.headers["Retry-After"]
            assert is_json_failure(response)
        assert service.client.get("/readyz").status_code == 503
        assert service.client.get("/livez").status_code == 200
        blocker.execute("ROLLBACK")

    assert eventually(lambda: post(service.client, fixture()).status_code == 200)
    assert service.client.get("/readyz").status_code == 200
    assert count(service) == 2


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = monotonic() + seconds
    while not (held := holds()) and monotonic() < end:
        sleep(0.05)
    return held


@contextmanager
def moved_away(service: Service) -> Iterator[None]:
    kept = service.database.parent / "kept"
    kept.mkdir()
    files = list(service.database.parent.glob("cds.db*"))
    for file in files:
        file.rename(kept / file.name)
    yield
    for file in files:
        (kept / file.name).rename(file)


def test_b28_a_database_that_is_away_is_503_and_comes_back(service: Service) -> None:
    found = card(service.client, fixture())
    with moved_away(service):
        for response in (post(service.client, fixture()), service.client.get(f"/predictions/{found['uuid']}")):
            assert response.status_code == 503
            assert is_json_failure(response)

    assert eventually(lambda: post(service.client, fixture()).status_code == 200)


def test_b28_after_the_drain_calls_are_503(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> None:
    with started(tmp_path, empty_database, predictor, tables) as service:
        service.runtime.drain()
        assert post(service.client, fixture()).status_code == 503
        assert service.client.get("/readyz").status_code == 503
