"""One patient in, one explained risk out, by the shipped artifact."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cds_service.domain.features import FEATURES, columns_from_snapshots, feature_matrix
from cds_service.domain.policy import AssessmentPolicy
from cds_service.domain.prediction import RiskEstimate

POLICY = AssessmentPolicy()
ROOT = Path(__file__).parents[2]
WITHOUT_VITALS = dict.fromkeys(("heart_rate", "temperature", "systolic_bp", "diastolic_bp", "respiratory_rate", "spo2"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"age_years": None}, "age-unknown", id="no birth date"),
        pytest.param({"age_years": 17.99}, "under-18", id="the day before eighteen"),
        pytest.param({"encounter_class": None}, "encounter-class-unknown", id="no encounter"),
        pytest.param({"encounter_class": "IMP"}, "not-emergency", id="ward patient"),
        pytest.param(WITHOUT_VITALS, "no-vitals", id="nothing measured"),
    ],
)
def test_who_gets_no_estimate(predictor, a_snapshot, changes, reason):
    assert predictor.estimate(a_snapshot(**changes), POLICY) == reason


@pytest.mark.parametrize(
    ("changes", "tier"),
    [
        pytest.param({}, "vitals-8", id="eight vitals"),
        pytest.param({"respiratory_rate": None}, "vitals-8", id="SpO2 without breathing rate"),
        pytest.param({"respiratory_rate": None, "spo2": None}, "vitals-6", id="neither"),
        pytest.param({"complaint_group": "chest-pain"}, "full", id="a complaint"),
        pytest.param({"chronic_count": 0}, "full", id="an empty problem list is knowledge"),
        pytest.param({"arrived_by_ambulance": False}, "full", id="walked in"),
        pytest.param({"complaint_group": "a group of a later version"}, "vitals-8", id="unknown complaint"),
    ],
)
def test_tier_follows_what_is_known(predictor, a_snapshot, changes, tier):
    snapshot = a_snapshot(**changes)

    estimate = predictor.estimate(snapshot, POLICY)

    assert isinstance(estimate, RiskEstimate)
    assert estimate.tier == tier
    assert len(estimate.drivers) == {"full": 11, "vitals-8": 8, "vitals-6": 6}[tier]


def test_contributions_add_up_to_the_margin(predictor, a_snapshot):
    estimate = predictor.estimate(a_snapshot(spo2=84.0, complaint_group="shortness-of-breath"), POLICY)

    total = sum(driver.contribution for driver in estimate.drivers) + predictor.tiers["full"].shap.bias

    assert total == pytest.approx(estimate.margin, abs=1e-5)


def test_drivers_come_largest_first_with_readable_values(predictor, a_snapshot):
    snapshot = a_snapshot(spo2=84.0, temperature=None, complaint_group="shortness-of-breath")

    estimate = predictor.estimate(snapshot, POLICY)

    sizes = [abs(driver.contribution) for driver in estimate.drivers]
    values = {driver.feature: driver.value for driver in estimate.drivers}
    assert sizes == sorted(sizes, reverse=True)
    assert values["sex"] == "female"
    assert values["complaint_group"] == "shortness-of-breath"
    assert values["temperature"] is None
    assert values["age"] == 40.0


def test_one_patient_scores_as_in_a_batch(predictor, a_snapshot):
    snapshots = [a_snapshot(), a_snapshot(spo2=None, respiratory_rate=None), a_snapshot(chronic_count=3, spo2=81.0)]

    alone = [predictor.estimate(snapshot, POLICY).probability for snapshot in snapshots]
    together = predictor.score(feature_matrix(columns_from_snapshots(snapshots)))

    assert together.tolist() == pytest.approx(alone, abs=1e-9)


def test_rows_score_alike_in_any_batch(predictor, rows):
    whole = predictor.score(rows)
    parts = np.concatenate([predictor.score(rows[start : start + 1]) for start in range(200)])

    np.testing.assert_allclose(parts, whole[:200], atol=1e-7)


def test_any_missing_input_still_gives_a_sensible_probability(predictor, rows):
    probabilities = predictor.score(rows)

    assert np.isfinite(probabilities).all()
    assert ((probabilities > 0.0001) & (probabilities < 0.99)).all()


@pytest.mark.parametrize(("probability", "band"), [(0.0, "high"), (0.9, "low")])
def test_bands_are_the_sites(predictor, a_snapshot, probability, band):
    policy = replace(POLICY, moderate=probability, high=probability)

    assert predictor.estimate(a_snapshot(), policy).band == band


@pytest.mark.parametrize(
    ("feature", "sign"),
    [("age", 1), ("spo2", -1), ("arrived_by_ambulance", 1), ("complaint_group", 1), ("chronic_count", 1)],
)
def test_risk_moves_one_way_where_medicine_demands_it(predictor, rows, feature, sign):
    index = FEATURES.index(feature)
    tiers = [tier for tier in predictor.tiers.values() if index < tier.n_columns]
    grid = np.linspace(18 if feature == "age" else 0, 100, 60, dtype=np.float32)

    for tier in tiers:
        swept = np.repeat(rows[:40], len(grid), axis=0)
        swept[:, index] = np.tile(grid, 40)
        steps = sign * np.diff(tier.margins(swept).reshape(40, len(grid)), axis=1)
        assert (steps >= -1e-5).all(), (tier.name, feature)


def test_serving_imports_no_training_library():
    code = (
        "import sys; from pathlib import Path; from cds_service.inference.predictor import load_predictor;"
        "from cds_service.inference.codes import load_code_tables;"
        "load_predictor(Path('models')); load_code_tables(Path('models'));"
        "others = ('xgboost', 'sklearn', 'shap', 'pandas', 'onnx', 'onnxruntime', 'scipy', 'training');"
        "print([m for m in others if m in sys.modules])"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert run.stdout.strip() == "[]"
