"""A prefetch with gaps, and the FHIR server they are filled from."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from urllib.parse import quote

import pytest

from cds_service.cdshooks.catalogue import VITALS_RISK
from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.rounds import Rounds
from tests.conftest import Clock, Service, started
from tests.fhir.fhir_server import FhirServer, a_fhir_server, answer
from tests.web.calls import PATIENT, Json, cards, fixture, post

TOKEN = "a-token-for-this-call-only"
FULL = fixture()


@pytest.fixture
def server() -> Iterator[FhirServer]:
    """A FHIR server with everything the full request holds."""
    with a_fhir_server() as server:
        for key, template in VITALS_RISK.prefetch["patient-view"].items():
            query = template.replace("{{context.patientId}}", PATIENT)
            found = FULL["prefetch"].get(key, {"resourceType": "Bundle", "type": "searchset"})
            server.answers[f"/fhir/{query}"] = answer(json.dumps(found).encode())
        yield server


@pytest.fixture
def service(
    tmp_path: Path,
    empty_database: Path,
    predictor: Predictor,
    tables: CodeTables,
    clock: Clock,
    server: FhirServer,
) -> Iterator[Service]:
    """A service whose caller may name that server."""
    (tmp_path / "clients.toml").write_text(f"[client.local]\nfhir = '{server.base}'\n")
    more = {"CDS_ALLOW_HTTP_FHIR": "yes", "CDS_CLIENTS_FILE": str(tmp_path / "clients.toml")}
    with started(tmp_path, empty_database, predictor, tables, **more) as service:
        yield service
    for place in (service.log, service.database, *tmp_path.glob("cds.db-*")):
        assert TOKEN.encode() not in place.read_bytes(), "threat 47: the token is nowhere"


def call_without(server: FhirServer | None, *keys: str, **members: object) -> Json:
    """The full request with some prefetch keys left out, and access to the server if there is one."""
    body = fixture()
    for key in keys:
        body["prefetch"].pop(key, None)
    if server is not None:
        body["fhirServer"] = server.base
        body["fhirAuthorization"] = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300}
    return {**body, **members}


def asked(server: FhirServer) -> list[str]:
    return [request.split(" ", 2)[1].partition("?")[0] for request in server.requests]


def test_what_is_left_out_is_read_and_the_card_is_the_same(service: Service, server: FhirServer) -> None:
    whole = cards(service.client, fixture())
    fetched = cards(service.client, call_without(server, "patient", "observations", "conditions", "encounter"))

    assert [card["detail"] for card in fetched] == [card["detail"] for card in whole]
    assert [card["summary"] for card in fetched] == [card["summary"] for card in whole]


def test_only_what_is_left_out_is_asked_for(service: Service, server: FhirServer) -> None:
    cards(service.client, call_without(server, "conditions"))

    absent = {key for key in VITALS_RISK.prefetch["patient-view"] if key not in FULL["prefetch"]} | {"conditions"}
    assert len(server.requests) == len(absent)
    assert all(f"authorization: bearer {TOKEN}" in request.lower() for request in server.requests)


def test_a_slow_fhir_server_keeps_no_other_call_of_its_round(service: Service, server: FhirServer) -> None:
    other_is_answered = Event()
    query = VITALS_RISK.prefetch["patient-view"]["conditions"].replace("{{context.patientId}}", PATIENT)
    found = server.answers[f"/fhir/{query}"]

    def wait_for_the_other(connection: socket.socket, _ending: Event) -> None:
        other_is_answered.wait(5.0)
        connection.sendall(found)

    server.answers[f"/fhir/{query}"] = wait_for_the_other
    answered: list[str] = []

    def call(name: str, body: Json) -> None:
        cards(service.client.application.test_client(), body)
        answered.append(name)
        if name == "whole":
            other_is_answered.set()

    rounds = Rounds("test-rounds")
    rounds.begin(lambda: call("fetches", call_without(server, "conditions")))
    rounds.begin(lambda: call("whole", fixture()))
    rounds.end(10.0)

    assert answered == ["whole", "fetches"]


def test_a_key_answered_with_null_is_answered(service: Service, server: FhirServer) -> None:
    body = call_without(server)
    body["prefetch"] = dict.fromkeys(VITALS_RISK.prefetch["patient-view"])

    cards(service.client, body)

    assert server.requests == []


def test_the_clients_own_failure_is_not_repeated(service: Service, server: FhirServer) -> None:
    body = call_without(server)
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
    body["prefetch"] = {**dict.fromkeys(VITALS_RISK.prefetch["patient-view"]), "conditions": failed}

    cards(service.client, body)

    assert server.requests == []


def test_threat_46_what_is_required_and_not_given_is_412(service: Service, server: FhirServer) -> None:
    server.answers.clear()

    response = post(service.client, call_without(server, "observations"))

    assert response.status_code == 412
    assert "answered 404" in response.text


def test_threat_46_what_is_not_required_and_not_given_is_said(service: Service, server: FhirServer) -> None:
    server.answers = {path: one for path, one in server.answers.items() if "/Condition" not in path}

    [card] = cards(service.client, call_without(server, "conditions"))

    assert "did not give it" in card["detail"]


@pytest.mark.parametrize("elsewhere", ["http://127.0.0.1:1/fhir", "https://ehr.example.org/fhir", "{base}/../fhir"])
def test_threat_43_a_server_that_is_not_the_clients_is_never_called(
    service: Service, server: FhirServer, elsewhere: str
) -> None:
    body = call_without(server, "observations", fhirServer=elsewhere.replace("{base}", server.base))

    response = post(service.client, body)

    assert response.status_code == 412
    assert "not a FHIR server this client may name" in response.text
    assert server.requests == []


def test_without_a_server_what_is_required_is_412(service: Service) -> None:
    response = post(service.client, call_without(None, "patient"))

    assert response.status_code == 412
    assert json.loads(response.data)["issue"][0]["expression"] == ["prefetch.patient"]


@pytest.mark.parametrize("patient", ["..", "."])
def test_an_id_that_is_a_way_elsewhere_is_not_asked_for(service: Service, server: FhirServer, patient: str) -> None:
    body = call_without(server, "patient", "observations")
    body["context"]["patientId"] = patient

    assert post(service.client, body).status_code == 412
    assert server.requests == []


def test_another_patient_from_the_server_is_refused_like_from_a_prefetch(service: Service, server: FhirServer) -> None:
    other = {"resourceType": "Patient", "id": "somebody-else", "birthDate": "1980-01-01"}
    server.answers[f"/fhir/Patient/{quote(PATIENT)}"] = answer(json.dumps(other).encode())

    response = post(service.client, call_without(server, "patient"))

    assert response.status_code == 422


@pytest.mark.parametrize("body", [b'{"resourceType":"Patient","id":"1","id":"2"}', b'{"a":NaN}', b"[]"])
def test_an_answer_that_is_not_strict_json_is_not_read(service: Service, server: FhirServer, body: bytes) -> None:
    server.answers[f"/fhir/Patient/{PATIENT}"] = answer(body)

    assert post(service.client, call_without(server, "patient")).status_code == 412


def test_a_repeat_gets_the_stored_cards_whatever_the_server_says_now(service: Service, server: FhirServer) -> None:
    body = call_without(server, "conditions")
    first = post(service.client, body)
    server.answers[next(path for path in server.answers if "Condition" in path)] = answer(b"{}", status="500 Error")

    again = post(service.client, body)

    assert again.data == first.data
