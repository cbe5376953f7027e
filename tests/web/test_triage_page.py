"""The triage form: what it takes, what it asks about first, and what it shows."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.conftest import Service
from tests.web.pages import FILLED, form_token, send, text_of


@pytest.fixture
def browser(service: Service) -> FlaskClient:
    return service.app.test_client()


def rows(service: Service) -> list[Any]:
    with service.runtime.engine.connect() as connection:
        return list(
            connection.execute(text("SELECT id, service, snapshot, outcome FROM predictions ORDER BY created_at"))
        )


def used(service: Service) -> dict[str, Any]:
    """The readings of the one prediction that is stored, by name."""
    [row] = rows(service)
    readings = json.loads(row.snapshot)["readings"]
    return {name: reading[1] if isinstance(reading, list) else reading["value"] for name, reading in readings.items()}


def test_a_filled_form_is_stored_and_explained_beside_itself(service: Service, browser: FlaskClient) -> None:
    shown = send(browser, "/triage", **FILLED)
    said = text_of(shown)

    assert shown.status_code == 200
    assert "NEWS2 9: reaches the emergency threshold" in said
    assert "Ada Ejemplo · MRN-77 · 1955-03-02" in said
    assert re.search(r"acute \(NEWS2, risk\)", said)
    assert "visits like this in the training data" in said
    assert 'value="38,4"' in shown.get_data(as_text=True)  # the draft stays
    [row] = rows(service)
    assert row.service == "triage"
    assert json.loads(row.snapshot)["age_years"] == 71
    assert b"Ejemplo" not in row.snapshot + row.outcome


def test_the_form_answers_in_spanish(browser: FlaskClient) -> None:
    said = text_of(send(browser, "/triage", "/triage?language=es", **FILLED))
    assert "alcanza el umbral de emergencia" in said
    assert "Signos vitales" in said
    assert "temperatura 38,4 °C" in said


def test_fahrenheit_is_the_same_patient(service: Service, browser: FlaskClient) -> None:
    send(browser, "/triage", **FILLED)
    send(browser, "/triage", **FILLED | {"temperature": "101.12", "temperature_unit": "[degF]"})
    first, second = (json.loads(row.outcome)["risk"]["probability"] for row in rows(service))
    assert first == second


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "warm"),
        ("age", "-3"),
        ("birth_date", "2031-01-01"),
        ("birth_date", "yesterday"),
        ("consciousness", "Z"),
        ("temperature_unit", "K"),
        ("patient_id", "x" * 300),
    ],
)
def test_what_cannot_be_read_is_marked_and_nothing_is_stored_or_lost(
    service: Service, browser: FlaskClient, name: str, value: str
) -> None:
    refused = send(browser, "/triage", **FILLED | {name: value})
    page = refused.get_data(as_text=True)

    assert refused.status_code == 400
    assert "one value cannot be read" in text_of(refused)
    assert page.count("cannot be read: check it") == 1
    assert 'value="132"' in page
    assert rows(service) == []


def test_an_impossible_value_is_kept_with_a_reason_only_and_never_scored(
    service: Service, browser: FlaskClient
) -> None:
    impossible = FILLED | {"temperature": "98.6"}
    asked = send(browser, "/triage", **impossible)
    assert (asked.status_code, rows(service)) == (422, [])
    assert "between 25 and 45 °C a value can be true" in text_of(asked)
    assert send(browser, "/triage", **impossible, kept="I like it").status_code == 422

    said = text_of(send(browser, "/triage", **impossible, kept="device"))

    assert "temperature 98.6 Cel: impossible in that unit, check" in said
    assert "An impossible value was kept: the device shows it." in said
    assert "temperature" not in used(service)


def test_what_may_be_the_emergency_itself_says_so_before_anything_is_stored(browser: FlaskClient) -> None:
    assert "Check the patient" in text_of(send(browser, "/triage", **FILLED | {"respiratory_rate": "0"}))


def test_an_unusual_value_is_taken_once_it_is_confirmed_as_it_stands(service: Service, browser: FlaskClient) -> None:
    unusual = FILLED | {"pulse_rate": "215"}
    asked = send(browser, "/triage", **unusual)
    assert (asked.status_code, rows(service)) == (422, [])
    assert "yes, 215 is right" in text_of(asked)
    assert send(browser, "/triage", **unusual, confirmed="pulse_rate=220").status_code == 422

    assert send(browser, "/triage", **unusual, confirmed="pulse_rate=215").status_code == 200
    assert used(service)["pulse_rate"] == 215


def test_a_form_sent_twice_is_stored_once(service: Service, browser: FlaskClient) -> None:
    page = browser.get("/triage").get_data(as_text=True)
    fields = {**FILLED, "form_token": form_token(page), "key": "one form"}
    first, second = (browser.post("/triage", data=fields) for _ in range(2))

    assert len(rows(service)) == 1
    assert "NEWS2 9" in text_of(first)
    assert "NEWS2 9" in text_of(second)


def test_scale_2_needs_who_decided_it(browser: FlaskClient) -> None:
    assert send(browser, "/triage", **FILLED, spo2_scale="2").status_code == 400
    assert send(browser, "/triage", **FILLED, spo2_scale="2", spo2_scale_by="Dr. Ruiz").status_code == 200


def test_what_people_type_is_text_and_nothing_else(browser: FlaskClient) -> None:
    script = "<script>alert(1)</script>"
    page = send(
        browser, "/triage", **FILLED | {"patient_name": script, "complaint": script, "patient_id": f'"{script}'}
    )
    assert page.status_code == 200
    assert script not in page.get_data(as_text=True)
    assert "&lt;script&gt;" in page.get_data(as_text=True)


def test_an_empty_form_says_what_would_help(browser: FlaskClient) -> None:
    said = text_of(send(browser, "/triage"))
    assert "No usable vital signs" in said
    assert "name not given" in said
