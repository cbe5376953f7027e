"""THREATS 37 and 40 at every address a client system may call: its token serves one request, and only there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from cds_service.access import ACCESS
from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from tests.conftest import NOW, PUBLIC_URL, REPOSITORY, Service, started
from tests.web.calls import PATH, Json, fixture
from tests.web.feedback_calls import accepted
from tests.web.tokens import a_token, clients_file

# Method, path and body of a call of each address that is answered with 2xx; `{id}` is a prediction of the client.
Door = tuple[str, str, Callable[[str], Json] | bytes]
TWINS = REPOSITORY / "fixtures" / "twins" / "sepsis-from-nursing-home"
TWIN, MESSAGE = (TWINS / "bundle.json").read_bytes(), (TWINS / "message.hl7").read_bytes()
FINDINGS = {"observed": ["HP:0001250", "HP:0001263"], "age_years": 4}
DOORS: dict[str, Door] = {
    "hooks.call_service": ("POST", PATH, lambda _: fixture()),
    "feedback.take_feedback": ("POST", f"{PATH}/feedback", lambda card: {"feedback": [accepted(card)]}),
    "fhir.assess_posted_bundle": ("POST", "/fhir/$assess", TWIN),
    "fhir.rank_posted_bundle": ("POST", "/fhir/$rare-disease", TWIN),
    "fhir.read_risk_assessment": ("GET", "/fhir/RiskAssessment/{id}", b""),
    "predictions.predict": ("POST", "/predict", lambda _: {"age": 70, "heart_rate": 120}),
    "predictions.read_prediction": ("GET", "/predictions/{id}", b""),
    "predictions.explain_prediction": ("GET", "/predictions/{id}/explain", b""),
    "labels.label_prediction": (
        "POST",
        "/predictions/{id}/labels",
        lambda _: {"category": "acute", "author": "Practitioner/7"},
    ),
    "labels.list_labels": ("GET", "/predictions/{id}/labels", b""),
    "messages.take_message": ("POST", "/hl7/v2", MESSAGE),
    "rare.rank_findings": ("POST", "/rare-diseases", lambda _: FINDINGS),
}


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, predictor: Predictor, tables: CodeTables
) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("doors")
    more = {"CDS_CLIENT_AUTH": "required", "CDS_CLIENTS_FILE": str(clients_file(directory))}
    with pytest.MonkeyPatch.context() as held, started(directory, empty_database, predictor, tables, **more) as service:
        assert service.runtime.beside.rare.wait(30)
        held.setattr(type(service.runtime), "now", staticmethod(lambda: NOW))
        yield service


def send(service: Service, method: str, path: str, body: bytes, token: str) -> TestResponse:
    media = "application/hl7-v2" if body.startswith(b"MSH") else "application/json"
    headers = {"Content-Type": media, "Authorization": f"Bearer {token}"}
    return service.client.open(path, method=method, data=body, headers=headers)


@pytest.fixture(scope="module")
def card(guarded: Service) -> str:
    answer = send(guarded, "POST", PATH, json.dumps(fixture()).encode(), a_token())
    return str(json.loads(answer.data)["cards"][0]["uuid"])


def door(name: str, card: str) -> tuple[str, str, bytes]:
    method, path, body = DOORS[name]
    return method, path.format(id=card), body if isinstance(body, bytes) else json.dumps(body(card)).encode()


def test_every_address_of_clients_is_called_here() -> None:
    assert set(DOORS) == {name for name, row in ACCESS.items() if "client" in row.roles}


@pytest.mark.parametrize("name", DOORS)
def test_c37_a_token_serves_one_request_and_its_retries(guarded: Service, card: str, name: str) -> None:
    method, path, body = door(name, card)
    token = a_token(aud=PUBLIC_URL + path)

    first = send(guarded, method, path, body, token)
    again = send(guarded, method, path, body, token)
    changed = send(guarded, method, path, body + b" ", token)

    assert first.status_code in (200, 201), first.text
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert changed.status_code == 401
    assert "authentication is required" in changed.text


@pytest.mark.parametrize("name", DOORS)
def test_c40_a_token_for_another_address_opens_none(guarded: Service, card: str, name: str) -> None:
    method, path, body = door(name, card)
    others = [door(other, card)[1] for other in DOORS if other != name]

    statuses = {
        send(guarded, method, path, body, a_token(aud=PUBLIC_URL + other)).status_code
        for other in others
        if other != path
    }

    assert statuses == {401}
