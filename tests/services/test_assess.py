"""The one use case: what is concluded of a snapshot, with a model that only counts how often it was asked."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest

from cds_service.domain.patient import Identity, PatientSnapshot, Reading, Value
from cds_service.domain.policy import AssessmentPolicy
from cds_service.domain.prediction import Prediction, RiskEstimate
from cds_service.services.assess import assess
from cds_service.services.example import moved_to_now
from cds_service.services.stored import outcome_bytes, prediction_from_bytes, snapshot_bytes
from tests.conftest import NOW, REPOSITORY

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:]{8}[+-]\d{2}:\d{2}")
ADA = Identity(patient_id="p-1", name="Ada Ejemplo", identifiers=(("urn:oid:1.2.3", "4711"),))
WELL: dict[str, Value] = {
    "respiratory_rate": 14.0,
    "spo2": 98.0,
    "on_oxygen": False,
    "systolic_bp": 122.0,
    "heart_rate": 70.0,
    "consciousness": "A",
    "temperature": 36.8,
}


class Asked:
    """A model of our own making: it says what it was told to, and counts."""

    version = "0.0.1"

    def __init__(self, answer: RiskEstimate | str) -> None:
        self.answer = answer
        self.times = 0

    def estimate(self, snapshot: PatientSnapshot, policy: AssessmentPolicy) -> RiskEstimate | str:
        self.times += 1
        return self.answer


LOW = RiskEstimate(probability=0.004, band="low", tier="vitals-6", base_rate=0.02, margin=-5.5, drivers=())


def snapshot(readings: dict[str, Value], age: float | None = 50.0) -> PatientSnapshot:
    taken = {
        name: Reading(name, value, NOW - timedelta(minutes=10), "monitor", str(value))
        for name, value in readings.items()
    }
    return PatientSnapshot(at=NOW, identity=ADA, age_years=age, readings=taken)


def assessed(patient: PatientSnapshot, answer: RiskEstimate | str = LOW) -> Prediction:
    model = Asked(answer)
    prediction = assess(
        patient,
        prediction_id=UUID(int=1),
        models=SimpleNamespace(risk=model, state=None),
        policy=AssessmentPolicy(),
        site_hash="5" * 64,
    )
    assert model.times == 1
    return prediction


def test_everything_normal_is_not_ill_and_nothing_would_help() -> None:
    prediction = assessed(snapshot(WELL))

    assert prediction.news2 is not None
    assert prediction.news2.lower == prediction.news2.upper == 0
    assert [tag.state for tag in prediction.states] == ["not-ill"]
    assert prediction.would_help == ()
    assert (prediction.model_version, prediction.site_hash) == ("0.0.1", "5" * 64)


@pytest.mark.parametrize("missing", sorted(set(WELL) - {"heart_rate"}))
def test_one_missing_input_is_the_one_that_would_help(missing: str) -> None:
    prediction = assessed(snapshot({name: value for name, value in WELL.items() if name != missing}))

    assert prediction.would_help == (missing,)


def test_without_any_input_every_one_would_help_and_consciousness_first() -> None:
    prediction = assessed(snapshot({}), "no-vitals")

    assert (prediction.news2, prediction.news2_omitted) == (None, "no-inputs")
    assert (prediction.risk, prediction.risk_omitted) == (None, "no-vitals")
    assert prediction.would_help[0] == "consciousness"
    assert len(prediction.would_help) == 7


def test_without_an_age_the_age_would_help() -> None:
    assert assessed(snapshot(WELL, age=None), "age-unknown").would_help == ("age",)


def test_a_child_needs_nothing_that_would_change_it() -> None:
    prediction = assessed(snapshot(WELL, age=9.0), "under-18")

    assert prediction.news2_omitted == "under-16"
    assert prediction.would_help == ()


def test_the_same_snapshot_gives_the_same_prediction() -> None:
    assert assessed(snapshot(WELL)) == assessed(snapshot(WELL))


def test_a_prediction_is_the_same_after_it_was_stored_and_its_bytes_name_nobody() -> None:
    prediction = assessed(snapshot({**WELL, "heart_rate": 135.0}))
    stored = snapshot_bytes(prediction.snapshot), outcome_bytes(prediction)

    again = prediction_from_bytes(
        *stored, prediction_id=UUID(int=1), model_version="0.0.1", site_hash="5" * 64, identity=ADA
    )

    assert again == prediction._replace(snapshot=again.snapshot)
    assert again.snapshot.identity == ADA
    assert dict(again.snapshot.readings) == dict(prediction.snapshot.readings)
    assert b"Ejemplo" not in b"".join(stored)
    assert b"4711" not in b"".join(stored)


def test_the_example_is_moved_to_the_present_and_keeps_its_intervals() -> None:
    text = (REPOSITORY / "fixtures" / "hooks" / "try.json").read_text(encoding="utf-8")
    instance = "11111111-2222-4333-8444-555555555555"
    moved = moved_to_now(text, NOW, hook_instance=instance)
    times = [[datetime.fromisoformat(time) for time in TIME.findall(version)] for version in (text, moved)]
    shifts = {after - before for before, after in zip(*times, strict=True)}

    assert f'"hookInstance": "{instance}"' in moved
    assert max(times[1]) == NOW - timedelta(minutes=5)
    assert len(shifts) == 1
