from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from cds_service.domain.patient import NotUsed, UnusedReading
from cds_service.domain.prediction import Driver, EarlyWarning, Prediction, RiskEstimate, StateEstimate, StateTag
from cds_service.errors import InvalidResource, Unavailable
from cds_service.fhir.conformance import explain
from cds_service.fhir.outcome import MAX_ISSUES, operation_outcome
from cds_service.fhir.writer import assess_bundle, guidance_response, risk_assessment
from tests.fhir.builders import heart_rate, read

NEWS2 = EarlyWarning(
    points={"pulse": 2, "temperature": None},
    lower=2,
    upper=4,
    red=(),
    unknown=("temperature",),
    level="low",
    upper_level="low",
    scale=1,
    spread_min=0.0,
    composed=False,
)
RISK = RiskEstimate(0.1432, "high", "vitals-8", 0.02, -1.8, (Driver("heart_rate", 128.0, 0.8123),))


def a_prediction(**members: Any) -> Prediction:
    usual: dict[str, Any] = {
        "id": UUID("018e3a5c-0000-7000-8000-000000000001"),
        "snapshot": read(heart_rate()),
        "news2": NEWS2,
        "news2_omitted": None,
        "risk": RISK,
        "risk_omitted": None,
        "states": (StateTag("acute", ("model",), ("high",)),),
        "would_help": ("temperature", "consciousness"),
        "model_version": "1.0.0",
        "site_hash": "abc",
    }
    return Prediction(**usual | members)


STATES = StateEstimate(
    "1.2.0",
    {"not-ill": 0.004, "mild": 0.11, "acute": 0.642, "chronic": 0.214, "terminal": 0.03},
    ("acute", "chronic"),
    0.9,
    synthetic=False,
)
NOTHING = {"news2": None, "news2_omitted": "age-unknown", "risk": None, "risk_omitted": "age-unknown", "states": ()}


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize(
    "members", [{}, NOTHING, {"would_help": ("age",)}, {"would_help": ()}, {"state_model": STATES}]
)
def test_everything_written_is_valid_r4b(language: str, members: dict[str, Any]) -> None:
    prediction = a_prediction(**members)

    for resource in (
        risk_assessment(prediction, language=language),
        guidance_response(prediction, language=language),
        assess_bundle(prediction, language=language),
    ):
        assert explain(json.dumps(resource).encode()) == []


def test_risk_assessment_says_what_for_whom_and_from_what() -> None:
    written = risk_assessment(a_prediction(), language="en")

    icu, news2 = written["prediction"]
    assert written["subject"] == {"reference": "Patient/p1"}
    assert written["occurrenceDateTime"] == "2026-03-14T07:40:00+00:00"
    assert written["basis"] == [{"reference": "Observation/o1"}]
    assert (icu["probabilityDecimal"], icu["relativeRisk"]) == (0.1432, 7.16)
    assert icu["qualitativeRisk"]["coding"][0]["code"] == "high"
    assert news2["rationale"].startswith("NEWS2 at least 2 (temperature unknown)")
    assert written["note"][-1] == {"text": "Demonstration, not for clinical use."}
    assert "mitigation" not in written


@pytest.mark.parametrize("language", ["en", "es"])
def test_each_of_the_five_states_is_a_prediction_with_its_set(language: str) -> None:
    written = risk_assessment(a_prediction(state_model=STATES), language=language)

    states = written["prediction"][2:]
    shares = [entry["probabilityDecimal"] for entry in states]
    assert shares == [0.642, 0.214, 0.11, 0.03, 0.004]
    first = {
        "en": ("acutely ill", "about as likely as not"),
        "es": ("enfermedad aguda", "tan probable como improbable"),
    }
    assert (states[0]["outcome"]["text"], states[0]["qualitativeRisk"]["text"]) == first[language]
    assert all("1.2.0" in entry["rationale"] and "90 %" in entry["rationale"] for entry in states)


def test_subject_may_be_given_for_a_prediction_read_back() -> None:
    written = risk_assessment(a_prediction(), language="en", subject="https://ehr.example.org/fhir/Patient/9")

    assert written["subject"] == {"reference": "https://ehr.example.org/fhir/Patient/9"}


def test_missing_inputs_become_data_requirements() -> None:
    written = guidance_response(a_prediction(), language="en")

    assert written["status"] == "data-requested"
    temperature = written["dataRequirement"][0]
    assert temperature["type"] == "Observation"
    assert temperature["codeFilter"][0]["code"] == [{"system": "http://loinc.org", "code": "8310-5"}]


def test_nothing_missing_is_a_success() -> None:
    assert guidance_response(a_prediction(would_help=()), language="en")["status"] == "success"


def test_reason_for_a_missing_part_is_noted() -> None:
    written = risk_assessment(a_prediction(**NOTHING), language="en")

    texts = [note["text"] for note in written["note"]]
    assert "NEWS2 not calculated: age unknown" in texts
    assert "prediction" not in written


CODES = re.compile(
    r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b|\b(?:entered-in-error|under-1[68]|patient-deceased|not-determinable)\b"
)


@pytest.mark.parametrize("language", ["en", "es"])
def test_notes_and_reasons_are_in_words_not_codes(language: str) -> None:
    zero = UnusedReading("heart_rate", NotUsed.IMPLAUSIBLE, "Observation/1", "0 /min", alarming=True)
    error = UnusedReading("respiratory_rate", NotUsed.ENTERED_IN_ERROR, "Observation/2", "99 /min")
    snapshot = replace(read(heart_rate()), not_used=(error, zero), remarks=("patient-deceased", "pregnancy-in-words"))
    missing = {"news2": None, "news2_omitted": "under-16", "risk": None, "risk_omitted": "under-18"}
    news2 = replace(NEWS2, points={"on_oxygen": None, "respiratory_rate": 3}, unknown=("on_oxygen",))
    unsure = (StateTag("not-determinable", ("rule",)),)

    texts = []
    for members in (missing, {"news2": replace(news2, remarks=("pregnancy-unknown",))}):
        written = risk_assessment(a_prediction(snapshot=snapshot, states=unsure, **members), language=language)
        texts += [note["text"] for note in written["note"]]
        texts += [made["rationale"] for made in written.get("prediction", [])]

    assert [text for text in texts if CODES.search(text)] == []
    assert "0 /min" in texts[1]
    assert any("NEWS2" in text and ("pregnancy" in text or "embarazo" in text) for text in texts)


def test_a_recorded_death_is_the_first_note() -> None:
    dead = replace(read(heart_rate()), remarks=("patient-deceased",))

    written = risk_assessment(a_prediction(snapshot=dead), language="en")

    assert written["note"][0]["text"] == "Recorded as deceased, check the record"


@pytest.mark.parametrize(
    ("error", "severity", "code"),
    [
        (InvalidResource("two patients in one request", where="Patient.id"), "error", "processing"),
        (Unavailable("the database is away"), "fatal", "transient"),
    ],
)
def test_failure_becomes_a_valid_operation_outcome(error: Any, severity: str, code: str) -> None:
    written = operation_outcome(error)

    (issue,) = written["issue"]
    assert (issue["severity"], issue["code"], issue["diagnostics"]) == (severity, code, error.text)
    assert issue.get("expression", [""]) == [error.where]
    assert explain(json.dumps(written).encode()) == []


def test_details_are_further_issues_and_bounded() -> None:
    details = (("Patient.gender", "is not a code"),) * 99

    written = operation_outcome(InvalidResource("is not valid", details=details))

    assert written["issue"][1]["expression"] == ["Patient.gender"]
    assert len(written["issue"]) == MAX_ISSUES
