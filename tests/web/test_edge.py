"""Failures as JSON, origins, request ids: the application's own edge, without a server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service import logs
from tests.web.tiny_app import ORIGIN, create_app


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    logs.configure(tmp_path / "log.jsonl")
    yield create_app().test_client()
    logs.configure(None)


def test_outside_fhir_a_failure_is_an_rfc_9457_problem_that_escapes_what_it_repeats(client: FlaskClient) -> None:
    response = client.get("/conflict")

    assert response.status_code == 409
    assert response.content_type == "application/problem+json"
    assert response.get_json(force=True) == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "came <b>before</b>\nwith other content",
        "where": "hookInstance",
    }
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"


def test_what_may_work_later_says_when(client: FlaskClient) -> None:
    response = client.get("/away")

    assert (response.status_code, response.headers["Retry-After"]) == (503, "7")


@pytest.mark.parametrize("path", ["/cds-services", "/cds-services/a/b/c", "/fhir", "/fhir/Patient/1"])
def test_on_fhir_addresses_a_failure_is_an_operation_outcome(client: FlaskClient, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert response.content_type == "application/fhir+json"
    assert json.loads(response.data)["issue"][0]["code"] == "not-found"


def test_the_address_asked_for_is_not_repeated(client: FlaskClient) -> None:
    assert b"script" not in client.get("/<script>alert(1)</script>").data


def test_a_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    response = client.delete("/conflict")

    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_a_failure_nobody_foresaw_is_logged_by_id_without_its_message(client: FlaskClient, tmp_path: Path) -> None:
    response = client.get("/broken")

    error_id = response.get_json(force=True)["detail"].rsplit(" ", 1)[1]
    line = (tmp_path / "log.jsonl").read_text()
    assert response.status_code == 500
    assert json.loads(line)["error_id"] == error_id
    assert json.loads(line)["exception"] == "RuntimeError"
    assert "Jane" not in line
    assert b"Jane" not in response.data


@pytest.mark.parametrize("path", ["/cds-services", "/cds-services/vitals-risk", "/cds-services/vitals-risk/feedback"])
def test_a_preflight_needs_no_token_on_any_hook_address(client: FlaskClient, path: str) -> None:
    response = client.options(path, headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"})

    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
    assert response.headers["Vary"] == "Origin"


def test_an_error_can_be_read_by_an_allowed_page(client: FlaskClient) -> None:
    response = client.post("/cds-services/a", data=b"{", headers={"Origin": ORIGIN})

    assert response.status_code == 400
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_other_addresses_are_never_shared(client: FlaskClient) -> None:
    assert "Access-Control-Allow-Origin" not in client.get("/conflict", headers={"Origin": ORIGIN}).headers


@pytest.mark.parametrize(
    ("sent", "kept"), [("trace-0001", True), ("short", False), ("a" * 65, False), ("a b c d e f g", False)]
)
def test_a_senders_request_id_is_kept_if_it_is_one(client: FlaskClient, sent: str, kept: bool) -> None:
    answered = client.get("/conflict", headers={"X-Request-ID": sent}).headers["X-Request-ID"]

    assert (answered == sent) is kept
    assert len(answered) >= 8
