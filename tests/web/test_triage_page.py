"""The triage form: what it takes, what it asks about first, and what it shows."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from cds_service.domain.vitals import VITAL_SIGNS
from cds_service.errors import Unavailable
from cds_service.web.console import form
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
    ("fields", "said"),
    [
        ({"temperature": "warm"}, "temperature : cannot be read"),
        ({"age": "old"}, "age : cannot be read"),
        ({"age": "-3"}, "age : must be between 0 and 130"),
        ({"age": "17"}, "age : does not fit the birth date"),
        ({"birth_date": "2031-01-01"}, "birth date : cannot be read"),
        ({"birth_date": "yesterday"}, "birth date : cannot be read"),
        ({"consciousness": "Z"}, "consciousness : cannot be read"),
        ({"temperature_unit": "K"}, "temperature : cannot be read"),
        ({"patient_id": "x" * 300}, "record number : cannot be read"),
        ({"spo2_scale": "2"}, "scale 2 decided by : scale 2 needs who decided it"),
    ],
)
def test_what_cannot_be_read_is_marked_and_nothing_is_stored_or_lost(
    service: Service, browser: FlaskClient, fields: dict[str, str], said: str
) -> None:
    refused = send(browser, "/triage", **FILLED | fields)

    assert refused.status_code == 400
    assert "these fields must be mended" in text_of(refused)
    assert said in text_of(refused)
    assert 'value="132"' in refused.get_data(as_text=True)
    assert rows(service) == []


def test_everything_that_is_wrong_is_said_at_once(browser: FlaskClient) -> None:
    said = text_of(send(browser, "/triage", **FILLED | {"spo2": "good", "birth_date": "x", "pulse_rate": "215"}))
    assert "birth date : cannot be read: check it SpO2 : cannot be read: check it pulse : unusual" in said


def test_an_impossible_value_is_kept_with_a_reason_only_and_never_scored(
    service: Service, browser: FlaskClient
) -> None:
    impossible = FILLED | {"temperature": "98.6"}
    asked = send(browser, "/triage", **impossible)
    assert (asked.status_code, rows(service)) == (422, [])
    assert "between 25 and 45 °C a value can be true" in text_of(asked)
    assert send(browser, "/triage", **impossible, kept_temperature="I like it").status_code == 422
    assert send(browser, "/triage", **impossible, kept_spo2="device").status_code == 422

    said = text_of(send(browser, "/triage", **impossible, kept_temperature="device"))

    assert "temperature 98.6 Cel: impossible in that unit, check" in said
    assert "An impossible value was kept: the device shows it." in said
    assert "temperature" not in used(service)


def test_the_range_is_said_in_the_unit_that_was_typed(browser: FlaskClient) -> None:
    asked = send(browser, "/triage", **FILLED | {"temperature": "38,4", "temperature_unit": "[degF]"})
    assert "Check the patient. Between 77 and 113 °F a value can be true. Or is it °C?" in text_of(asked)


def test_a_diastolic_pressure_not_below_the_systolic_is_kept_with_a_reason_and_neither_is_scored(
    service: Service, browser: FlaskClient
) -> None:
    clashing = FILLED | {"systolic_bp": "90", "diastolic_bp": "140"}
    asked = send(browser, "/triage", **clashing)
    assert (asked.status_code, rows(service)) == (422, [])
    assert "The diastolic pressure must be below the systolic." in text_of(asked)

    assert send(browser, "/triage", **clashing, kept_diastolic_bp="repeated").status_code == 200
    assert not {"systolic_bp", "diastolic_bp"} & set(used(service))


def test_what_may_be_the_emergency_itself_says_so_before_anything_is_stored(browser: FlaskClient) -> None:
    assert "Check the patient" in text_of(send(browser, "/triage", **FILLED | {"respiratory_rate": "0"}))


@pytest.mark.parametrize(
    ("field", "fields", "said"),
    [
        ("pulse_rate", {"pulse_rate": "215"}, "unusual: is it right? yes, 215 is right"),
        ("pulse_rate", {"pulse_rate": "80"}, "NEWS2 0 points: 51–90"),
        ("temperature", {"temperature": "3,84", "temperature_unit": "Cel"}, "Check the patient. Between 25 and 45 °C"),
        ("temperature", {"temperature": "38,4", "temperature_unit": "Cel"}, "36.1–38 °C (97–100.4 °F)"),
        ("spo2", {"spo2": "104"}, "Impossible: between 30 and 100 % a value can be true"),
        ("systolic_bp", {"systolic_bp": "80", "diastolic_bp": "90"}, "must be below the systolic"),
        ("age", {"age": "131"}, "must be between 0 and 130"),
        ("birth_date", {"birth_date": "1955-03-02", "age": "17"}, "does not fit the birth date"),
        ("spo2_scale", {"spo2_scale": "2"}, "scale 2 needs who decided it"),
        ("pulse_rate", {"pulse_rate": "80", "is_shown": "1"}, "The form has changed since"),
        ("complaint", {"complaint": "dolor de pecho"}, "read as: chest pain"),
        ("complaint", {"complaint": "qwertz"}, "no complaint we know"),
    ],
)
def test_a_field_is_checked_while_the_form_is_filled(
    service: Service, browser: FlaskClient, field: str, fields: dict[str, str], said: str
) -> None:
    part = send(browser, "/triage/check", "/triage", field=field, **fields)
    assert (part.status_code, rows(service)) == (200, [])
    assert said in text_of(part)
    assert "<html" not in part.get_data(as_text=True)


def test_a_field_that_is_not_of_the_form_is_not_checked(browser: FlaskClient) -> None:
    assert send(browser, "/triage/check", "/triage", field="shoe_size").status_code == 400


def test_while_nothing_can_be_stored_what_was_typed_stays(
    service: Service, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*arguments: object, **more: object) -> None:
        raise Unavailable("the writer is away", where="storage")

    monkeypatch.setattr(service.runtime.writer, "submit", away)
    page = send(browser, "/triage", **FILLED, key="one form")
    assert page.status_code == 503
    assert "No result is not low risk" in text_of(page)
    assert 'value="38,4"' in page.get_data(as_text=True)
    assert 'name="key" value="one form"' in page.get_data(as_text=True)


def test_pain_blood_group_and_exercise_are_stored_and_change_no_score(service: Service, browser: FlaskClient) -> None:
    send(browser, "/triage", **FILLED)
    send(browser, "/triage", **FILLED, pain="7", blood_group="AB-", exercise_days="12")
    first, second = (json.loads(row.outcome) for row in rows(service))
    assert (first["risk"]["probability"], first["news2"]) == (second["risk"]["probability"], second["news2"])
    readings = json.loads(rows(service)[1].snapshot)["readings"]
    assert {"pain", "blood_group", "exercise_days"} <= set(readings)


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


def test_the_same_page_sent_again_with_another_value_is_another_prediction(
    service: Service, browser: FlaskClient
) -> None:
    page = browser.get("/triage").get_data(as_text=True)
    fields = {**FILLED, "form_token": form_token(page), "key": "one form"}
    browser.post("/triage", data=fields)
    assert browser.post("/triage", data=fields | {"pulse_rate": "80"}).status_code == 200
    assert len(rows(service)) == 2


def test_scale_2_is_taken_with_who_decided_it(browser: FlaskClient) -> None:
    assert send(browser, "/triage", **FILLED, spo2_scale="2", spo2_scale_by="Dr. Ruiz").status_code == 200


def test_what_people_type_is_text_and_nothing_else(browser: FlaskClient) -> None:
    script = "<script>alert(1)</script>"
    page = send(
        browser, "/triage", **FILLED | {"patient_name": script, "complaint": script, "patient_id": f'"{script}'}
    )
    assert page.status_code == 200
    assert "<script>" not in page.get_data(as_text=True)
    assert "&lt;script&gt;" in page.get_data(as_text=True)


def test_an_empty_form_says_what_would_help(browser: FlaskClient) -> None:
    said = text_of(send(browser, "/triage", identity_unknown="yes"))
    assert "No usable vital signs" in said
    assert "name not given" in said


# Devices count the heart, people the pulse; what follows from others or is measured elsewhere is not typed at triage.
NOT_TYPED = {"heart_rate", "oxygen_flow", "oxygen_concentration", "gcs_total", "height", "weight", "bmi"}


def test_every_vital_sign_is_on_the_form_or_is_not_typed_at_triage() -> None:
    assert set(VITAL_SIGNS) - set(form.FIELDS) == NOT_TYPED


@pytest.mark.parametrize("left_out", [("patient_id", "patient_name"), ("patient_name", "birth_date"), form.IDENTIFIERS])
def test_a_patient_has_two_identifiers_or_is_said_to_be_unknown(
    browser: FlaskClient, left_out: tuple[str, ...]
) -> None:
    given = {name: value for name, value in FILLED.items() if name not in left_out} | {"age": "71"}

    refused = send(browser, "/triage", **given)
    taken = send(browser, "/triage", **given, identity_unknown="yes")

    assert (refused.status_code, taken.status_code) == (400, 200)
    assert "two of record number, name and birth date are needed" in text_of(refused)
    assert 'value="128"' in refused.text
    again = browser.get(re.findall(r"/console/predictions/[0-9a-f-]{36}", taken.text)[0])
    for page in (taken, again):
        assert "The identity of the patient is not known" in text_of(page)


@pytest.mark.parametrize("left_out", form.IDENTIFIERS)
def test_two_identifiers_are_enough(browser: FlaskClient, left_out: str) -> None:
    given = {name: value for name, value in FILLED.items() if name != left_out}

    taken = send(browser, "/triage", **given, identity_unknown="yes")

    assert taken.status_code == 200
    assert "The identity of the patient is not known" not in text_of(taken)
