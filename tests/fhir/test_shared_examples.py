from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.policy import ReadingPolicy
from cds_service.fhir.reader import read_resources, snapshot_from_resources
from cds_service.fhir.times import moment_from_datetime
from tests.fhir.builders import TABLES

EXAMPLES = Path(__file__).parents[2].parent / "shared" / "data" / "fhir"
EXPECTED: dict[str, Any] = {}
if (EXAMPLES / "expected.json").is_file():
    EXPECTED = json.loads((EXAMPLES / "expected.json").read_text())

# What expected.json rounds or does not speak of: read as well, and reviewed file by file.
BEYOND = {"on_oxygen", "blood_group"}
ROUNDED = 0.05


def read_example(body: bytes) -> PatientSnapshot:
    """The snapshot of one example at the moment it was taken."""
    document = json.loads(body)
    sent = document.get("effectiveDateTime") or document.get("effectivePeriod", {}).get("end") or "1999-07-02"
    moment = moment_from_datetime(sent)
    assert moment is not None
    return snapshot_from_resources(
        read_resources([body]),
        patient_id=document["subject"]["reference"].rpartition("/")[2],
        at=moment[0],
        policy=ReadingPolicy(),
        tables=TABLES,
    )


@pytest.mark.skipif(not EXPECTED, reason="the shared example files are not on this machine")
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_example_is_read_as_expected(name: str) -> None:
    snapshot = read_example((EXAMPLES / name).read_bytes())

    found = {key: reading.value for key, reading in snapshot.readings.items()}
    vitals = EXPECTED[name]["vitals"]
    assert {key: found.get(key) for key in vitals} == {
        key: pytest.approx(value, abs=ROUNDED) for key, value in vitals.items()
    }
    assert set(found) - set(vitals) <= BEYOND


# Reviewed: the files without a usable vital sign, and why each of them has none.
NOTHING_USED = {
    "US-Core__input__examples__Observation-EVS-panel-example-89574-8.json": {},
    "US-Core__input__examples__Observation-average-blood-pressure.json": {},
    "US-Core__input__examples__head-circumference.json": {},
    "US-Core__input__examples__pediatric-bmi-example.json": {},
    "US-Core__input__examples__pediatric-wt-example.json": {},
    "client-py__tests__data__examples__observation-example-bloodgroup.json": {},
    "client-py__tests__data__examples__observation-example-bloodpressure-cancel.json": {
        "systolic_bp": "cancelled",
        "diastolic_bp": "cancelled",
    },
    "client-py__tests__data__examples__observation-example-f202-temperature.json": {"temperature": "entered-in-error"},
    "client-py__tests__data__examples__observation-example-head-circumference.json": {},
    "client-py__tests__data__examples__observation-example-rhstatus.json": {},
    "client-py__tests__data__examples__observation-example-vitals-panel.json": {},
}


@pytest.mark.skipif(not EXPECTED, reason="the shared example files are not on this machine")
@pytest.mark.parametrize("name", sorted(NOTHING_USED))
def test_example_without_a_vital_sign_says_why(name: str) -> None:
    snapshot = read_example((EXAMPLES / name).read_bytes())

    assert {one.name: one.reason.value for one in snapshot.not_used} == NOTHING_USED[name]
    assert EXPECTED[name]["vitals"] == {}
