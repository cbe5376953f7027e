from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cds_service.domain.meanings import NOTHING
from cds_service.domain.statements import Given
from cds_service.domain.vital_codes import LOINC, MDC, SNOMED
from cds_service.domain.vitals import VITAL_SIGNS
from cds_service.fhir.shapes import Statement
from cds_service.fhir.values import UCUM, original_of, read_value, usual_quantity
from tests.fhir.builders import (
    component,
    concept,
    consciousness,
    heart_rate,
    observation,
    only_unused,
    pressure,
    quantity,
    read,
    unused,
    values,
)

LB = {"value": 180, "unit": "lbs", "system": "http://unitsofmeasure.org", "code": "[lb_av]"}


@pytest.mark.parametrize(
    ("code", "sent", "name", "expected"),
    [
        pytest.param("8310-5", quantity(101.3, "degF", code="[degF]"), "temperature", 38.5, id="Fahrenheit by UCUM"),
        pytest.param("8310-5", {"value": 98.6, "unit": "°F"}, "temperature", 37.0, id="Fahrenheit as text"),
        pytest.param("8480-6", quantity(16, "kPa"), "systolic_bp", 120.0099, id="kPa"),
        pytest.param("29463-7", LB, "weight", 81.6466, id="pounds, UCUM before text"),
        pytest.param("29463-7", {"value": 180, "unit": "lbs"}, "weight", 81.6466, id="pounds as text"),
        pytest.param("8302-2", quantity(70, "[in_i]"), "height", 177.8, id="inches"),
        pytest.param("8867-4", {"value": 70, "unit": "beats/minute"}, "heart_rate", 70.0, id="beats/minute as text"),
        pytest.param("59408-5", {"value": 0.97, "code": "1", "unit": "1"}, "spo2", 97.0, id="share of one"),
        pytest.param("9269-2", {"value": 13}, "gcs_total", 13.0, id="score without a unit"),
    ],
)
def test_units_become_the_canonical_one(code: str, sent: dict[str, object], name: str, expected: float) -> None:
    snapshot = read(observation((LOINC, code), valueQuantity=sent))

    assert values(snapshot) == {name: expected}


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        pytest.param({"valueQuantity": quantity(128, "furlong")}, "unknown-unit", id="unit of something else"),
        pytest.param({"valueQuantity": quantity(80, "{beat}/min}")}, "unknown-unit", id="broken UCUM"),
        pytest.param({"valueQuantity": {"value": 128}}, "missing-unit", id="no unit"),
        pytest.param({"valueInteger": 128}, "missing-unit", id="integer"),
        pytest.param({"valueQuantity": quantity(128, "/min") | {"comparator": ">"}}, "comparator", id="comparator"),
        pytest.param({"valueQuantity": quantity("128", "/min")}, "not-a-number", id="number as text"),
        pytest.param({"valueQuantity": quantity(True, "/min")}, "not-a-number", id="boolean for a number"),
        pytest.param({"valueQuantity": quantity([1], "/min")}, "not-a-number", id="list for a number"),
        pytest.param({"valueQuantity": quantity(None, "/min")}, "no-value", id="null for a number"),
        pytest.param({"valueQuantity": {"unit": "/min"}}, "no-value", id="unit without a number"),
        pytest.param({"valueQuantity": None, "valueString": "128"}, "not-a-number", id="valueString"),
        pytest.param({"valueQuantity": None, "valueRange": {"low": {"value": 1}}}, "not-a-number", id="valueRange"),
        pytest.param({"valueQuantity": None, "valueSampledData": {"data": "1 2"}}, "not-a-number", id="sampled data"),
        pytest.param({"valueQuantity": None}, "no-value", id="no value at all"),
        pytest.param({"dataAbsentReason": concept(("x", "error"))}, "no-value", id="value and dataAbsentReason"),
        pytest.param({"valueQuantity": quantity(1e308, "/min")}, "implausible", id="1e308"),
        pytest.param({"valueQuantity": quantity(-40, "/min")}, "implausible", id="negative"),
    ],
)
def test_a_heart_rate_that_is_not_one_keeps_its_reason(members: dict[str, object], reason: str) -> None:
    snapshot = read(heart_rate(**{"valueQuantity": None} | members if "valueInteger" in members else members))

    assert unused(snapshot) == {"heart_rate": reason}
    assert snapshot.readings == {}


def test_huge_exponent_is_implausible_not_infinite() -> None:
    from tests.fhir.builders import bundle, encounter, patient, read_parts, text

    body = text(bundle(patient(), encounter(), heart_rate(4711))).replace(b"4711", b"1e999")

    assert unused(read_parts(body)) == {"heart_rate": "implausible"}


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        pytest.param(heart_rate(0), "heart_rate", id="asystole"),
        pytest.param(
            observation((LOINC, "9279-1"), valueQuantity=quantity(0, "/min")), "respiratory_rate", id="apnoea"
        ),
        pytest.param(observation((LOINC, "59408-5"), valueQuantity=quantity(12, "%")), "spo2", id="SpO2 under 30"),
        pytest.param(observation((LOINC, "8310-5"), valueQuantity=quantity(24, "Cel")), "temperature", id="24 Cel"),
        pytest.param(observation((LOINC, "8480-6"), valueQuantity=quantity(0, "mm[Hg]")), "systolic_bp", id="no pulse"),
    ],
)
def test_impossible_vital_alarms(resource: dict[str, object], name: str) -> None:
    left_out = only_unused(read(resource))

    assert (left_out.name, left_out.reason, left_out.alarming) == (name, "implausible", True)


@pytest.mark.parametrize(
    ("loinc", "value", "unit"),
    [("29463-7", 0, "kg"), ("8310-5", 98.6, "Cel"), ("8867-4", -100, "/min"), ("9279-1", 900, "/min")],
    ids=["no weight", "98.6 Cel", "device sentinel", "900 breaths"],
)
def test_what_can_only_be_a_fault_of_entry_or_device_does_not_alarm(loinc: str, value: float, unit: str) -> None:
    left_out = only_unused(read(observation((LOINC, loinc), valueQuantity=quantity(value, unit))))

    assert (left_out.reason, left_out.alarming) == ("implausible", False)


def test_diastolic_not_below_systolic_uses_neither() -> None:
    snapshot = read(pressure(80, 120))

    assert unused(snapshot) == {"systolic_bp": "inconsistent", "diastolic_bp": "inconsistent"}
    assert all(left_out.alarming for left_out in snapshot.not_used)


def test_one_side_of_a_pressure_is_used_and_flagged() -> None:
    absent = {"code": concept((LOINC, "8462-4")), "dataAbsentReason": concept(("x", "not-performed"))}

    snapshot = read(observation((LOINC, "85354-9"), component=[component("8480-6", 109, "mm[Hg]"), absent]))

    assert snapshot.readings["systolic_bp"].flags == ("other-pressure-missing",)
    assert unused(snapshot) == {"diastolic_bp": "no-value"}


def test_original_is_what_was_sent() -> None:
    snapshot = read(observation((LOINC, "8310-5"), valueQuantity=quantity(101.3, "degF", code="[degF]")))

    assert snapshot.readings["temperature"].original == "101.3 degF"


def test_original_is_bounded_and_on_one_line() -> None:
    snapshot = read(heart_rate(valueQuantity={"value": 1, "unit": "\n<script>" * 30}))

    left_out = only_unused(snapshot)

    assert len(left_out.original) == 40
    assert left_out.original.isprintable()
    assert left_out.detail.isprintable()


@pytest.mark.parametrize(
    ("code", "display", "expected"),
    [
        ("248234008", "Mentally alert", "A"),
        ("130987000", "Acute confusion", "C"),
        ("300202002", "Responds to voice", "V"),
        ("450847001", "Responds to pain", "P"),
        ("422768004", "Unresponsive", "U"),
        ("422768004", "Sin respuesta", "U"),
        ("450847001", None, "P"),
    ],
)
def test_acvpu_is_read_by_its_own_code(code: str, display: str | None, expected: str) -> None:
    assert values(read(consciousness(code, display=display))) == {"consciousness": expected}


@pytest.mark.parametrize(
    ("code", "display", "reason"),
    [
        pytest.param("450847001", "Responds to voice", "code-conflict", id="pain shown as voice"),
        pytest.param("1104441000000107", "new confusion", "unknown-value", id="scale used as a value"),
        pytest.param("422107005", "Unresponsive", "unknown-value", id="code that does not exist"),
    ],
)
def test_mislabelled_consciousness_is_not_used(code: str, display: str, reason: str) -> None:
    assert unused(read(consciousness(code, display=display))) == {"consciousness": reason}


def test_consciousness_in_words_only_is_not_used() -> None:
    sent = observation((LOINC, "67775-7"), valueString="Alert")

    assert unused(read(sent)) == {"consciousness": "unknown-value"}


def test_alert_on_four_levels_leaves_confusion_open() -> None:
    four = read(consciousness("248234008"))
    five = read(consciousness("248234008", scale=(SNOMED, "1104441000000107")))

    assert four.readings["consciousness"].flags == ("confusion-not-asked",)
    assert five.readings["consciousness"].flags == ()


@pytest.mark.parametrize(
    ("codings", "display", "name"),
    [
        pytest.param([(LOINC, "9269-2")], "Glasgow coma score motor", "gcs_total", id="GCS total labelled motor"),
        pytest.param([(LOINC, "3141-9")], "LEAD", "weight", id="weight labelled lead"),
        pytest.param([(LOINC, "80288-4")], "Oxygen supplementation", "consciousness", id="AVPU used for oxygen"),
        pytest.param([(LOINC, "8867-4"), (LOINC, "9279-1")], None, "heart_rate", id="two vital signs in one code"),
        pytest.param([(LOINC, "8867-4")], "Respiratory rate", "heart_rate", id="heart rate labelled breathing"),
    ],
)
def test_code_and_text_that_disagree_are_not_used(codings: list[tuple[str, str]], display: str, name: str) -> None:
    sent = observation(code=concept(*codings, display=display), valueQuantity=quantity(15, "{score}"))

    assert unused(read(sent)) == {name: "code-conflict"}


def test_every_coding_is_searched() -> None:
    sent = observation(("urn:local", "HR"), (MDC, "147842"), valueQuantity=quantity(70, "/min"))

    assert values(read(sent)) == {"heart_rate": 70.0}


def test_heart_rate_coded_as_pulse_too_is_a_pulse() -> None:
    sent = observation((LOINC, "8867-4"), (SNOMED, "78564009"), valueQuantity=quantity(70, "/min"))

    assert values(read(sent)) == {"pulse_rate": 70.0}


def test_blood_gas_saturation_is_not_oximetry() -> None:
    gas = read(observation((LOINC, "2708-6"), category=None, valueQuantity=quantity(91, "%")))
    vital = read(observation((LOINC, "2708-6"), valueQuantity=quantity(91, "%")))

    assert unused(gas) == {"spo2": "code-conflict"}
    assert values(vital) == {"spo2": 91.0}


def test_averaged_pressures_are_not_measurements() -> None:
    sent = observation((LOINC, "96607-7"), component=[component("8480-6", 109, "mm[Hg]")])

    assert unused(read(sent)) == {"systolic_bp": "code-conflict"}


def test_mean_pressure_is_never_systolic() -> None:
    snapshot = read(observation((LOINC, "8478-0"), valueQuantity=quantity(80, "mm[Hg]")))

    assert (dict(snapshot.readings), snapshot.not_used) == ({}, ())


def test_vital_as_component_of_another_code_is_read() -> None:
    sent = observation(("urn:local", "triage"), component=[component("9279-1", 26, "/min")])

    assert values(read(sent)) == {"respiratory_rate": 26.0}


UNITS = sorted({unit for sign in VITAL_SIGNS.values() for unit in sign.units})
A_UNIT = st.sampled_from([None, "", "x ", "a\tb", "1", *UNITS])
A_NUMBER = st.one_of(
    st.integers(-10, 400),
    st.floats(0, 400).map(lambda value: round(value, 1)),
    st.sampled_from([None, "12", True, 1e300, 10**50]),
)


@given(
    name=st.sampled_from(sorted(VITAL_SIGNS)),
    code=A_UNIT,
    unit=A_UNIT,
    value=A_NUMBER,
    system=st.sampled_from([UCUM, UCUM, UCUM, None, "urn:other"]),
    comparator=st.sampled_from([None, None, None, "<"]),
)
@example(name="heart_rate", code="/min", unit="beats/minute", value=88, system=UCUM, comparator=None)
@example(name="spo2", code="%", unit="%", value=20, system=UCUM, comparator=None)
@example(name="temperature", code="Cel", unit="degF", value=40, system=UCUM, comparator=None)
def test_the_short_way_to_a_quantity_says_what_the_long_one_says(
    name: str, code: str | None, unit: str | None, value: object, system: str | None, comparator: str | None
) -> None:
    sent = {"value": value, "unit": unit, "code": code, "system": system, "comparator": comparator}
    statement = msgspec.json.decode(json.dumps({"valueQuantity": sent}), type=Statement)
    assert statement.value_quantity is not None

    usual = usual_quantity(name, statement.value_quantity)

    long_way = read_value(name, NOTHING, statement)
    if usual is not None:
        assert (Given(usual[0]), usual[1]) == (long_way, original_of(statement))
    elif code == unit and code in VITAL_SIGNS[name].units and (system, comparator) == (UCUM, None):
        assert not isinstance(long_way, Given)
