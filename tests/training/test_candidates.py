"""What a candidate learns it learns inside a fold; what is served is what was fitted; chance teaches nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.labelled import quick_params, risk_columns, state_columns, write_dataset
from training.arms import ARMS
from training.candidates import FAMILIES, Choice, FoldPipeline
from training.compare import for_task
from training.conformal import coverage, thresholds
from training.explained import contributions_of
from training.exported import read_exported
from training.scores import fit_calibration, softmax
from training.search import left_out_margins, quality
from training.simple_scores import news2, qsofa
from training.state import graph_gap
from training.steps import aha_category
from training.task import TASKS
from training.tuning import Budget, tuned

STATE, RISK = TASKS["state"], TASKS["risk"]
BY_NAME = {family.name: family for family in FAMILIES}
PLAIN = Choice()
LEARNED = [family.name for family in FAMILIES if not family.bare]


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    return read_exported(write_dataset(tmp_path_factory.mktemp("states"), state_columns()), STATE)


@pytest.fixture(scope="module")
def risks(tmp_path_factory):
    return read_exported(write_dataset(tmp_path_factory.mktemp("risks"), risk_columns(900)), RISK)


def pipeline(family: str, task, choice: Choice = PLAIN) -> FoldPipeline:
    return FoldPipeline(BY_NAME[family], task, choice, for_task(task, quick_params()))


@pytest.mark.parametrize("family", LEARNED)
def test_every_family_learns_what_there_is(risks, family):
    margins = left_out_margins(risks, lambda: pipeline(family, RISK), 2, 1)

    assert quality(RISK, risks.y, margins, risks.weight) > 1.1  # 0.5 + 0.2 by chance


@pytest.mark.parametrize("family", LEARNED)
def test_permuted_labels_end_at_chance(risks, family):
    shuffled = replace(risks, y=np.random.default_rng(5).permutation(risks.y))

    margins = left_out_margins(shuffled, lambda: pipeline(family, RISK), 3, 1)

    assert quality(RISK, shuffled.y, margins, shuffled.weight) == pytest.approx(0.7, abs=0.12)


def test_a_patient_who_comes_back_is_not_recognised(risks):
    """Labels drawn for each patient teach nothing but who it is; with visits in several folds they would seem to."""
    again = risks.rows(np.repeat(np.arange(300), 3))
    drawn = replace(again, y=np.random.default_rng(5).permutation(risks.y[:300]).repeat(3))
    visits = replace(drawn, patient=np.arange(len(drawn.y)))

    apart, mixed = (left_out_margins(data, lambda: pipeline("random forest", RISK), 3, 1) for data in (drawn, visits))

    chance = 0.5 + drawn.y.mean()
    assert quality(RISK, drawn.y, apart, drawn.weight) == pytest.approx(chance, abs=0.12)
    assert quality(RISK, drawn.y, mixed, drawn.weight) > chance + 0.4


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_changes_the_rows_a_model_is_fitted_on_and_no_others(states, arm, monkeypatch):
    """Made-up rows exist between the fold's rows and the model only: nothing returns them, none is asked about."""
    seen = {}
    model = pipeline("logistic regression", STATE, Choice(arm=arm))
    taught, asked = states.rows(np.arange(400)), states.rows(np.arange(400, len(states.y)))
    original = ARMS[arm]
    monkeypatch.setitem(ARMS, arm, lambda rows, params: seen.setdefault("rows", original(rows, params)))

    margins = model.fit(taught.X, taught.y, taught.weight).margins(asked.X)

    assert len(margins) == len(asked.y)
    grown = len(seen["rows"][1]) > len(taught.y)
    assert grown == (arm in ("oversampling", "smote"))
    assert len(taught.y) == 400


@pytest.mark.parametrize("family", ["XGBoost", "logistic regression"])
@pytest.mark.parametrize("arm", ["plain", "class-weights", "oversampling"])
def test_the_served_graph_gives_the_fitted_margins(states, family, arm):
    model = pipeline(family, STATE, Choice(arm=arm)).fit(states.X, states.y, states.weight)
    rows = states.X.copy()
    rows[::3] = np.nan
    rows[1::5, 4] = np.nan

    assert graph_gap(model, rows) <= 1e-5


def test_calibration_undoes_a_wrong_temperature_and_bias():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(20_000, 3))
    y = np.array([rng.choice(3, p=p) for p in softmax(truth)], dtype=np.int8)

    found = fit_calibration(2.0 * truth - np.array([0.0, 1.0, -0.5]), y, np.ones(len(y)), ridge=0.0)

    assert found.temperature == pytest.approx(2.0, rel=0.05)
    assert np.diff(found.bias) == pytest.approx([0.5, -0.75], abs=0.06)


def test_a_class_without_calibration_rows_keeps_its_margin():
    y = np.zeros(50, dtype=np.int8)
    y[25:] = 1

    found = fit_calibration(np.random.default_rng(0).normal(size=(50, 3)), y, np.ones(50), ridge=1.0)

    assert np.isfinite(found.bias).all()


def test_conformal_sets_hold_each_class_as_often_as_promised():
    rng = np.random.default_rng(3)
    margins = rng.normal(size=(6000, 3)) + np.array([2.0, 0.0, -1.0])
    p = softmax(margins)
    y = np.array([rng.choice(3, p=row) for row in p], dtype=np.int8)

    limits = thresholds(p[:3000], y[:3000], 0.1)

    found = coverage(p[3000:], y[3000:], limits, ("a", "b", "c"))["by_class"]
    assert all(0.86 <= one["coverage"] <= 0.95 for one in found.values())


def test_a_class_with_too_few_conformal_rows_is_always_in_the_set():
    p = np.array([[0.9, 0.1]] * 20 + [[0.2, 0.8]] * 3)
    y = np.array([0] * 20 + [1] * 3, dtype=np.int8)

    assert thresholds(p, y, 0.1)[1] == 0.0


def test_tuning_keeps_the_default_unless_it_is_beaten_by_the_margin():
    space = {"seed": 1, "margin": 0.002, "ranges": {"x": [0.0, 1.0, "float"]}}

    level, _ = tuned(lambda settings: 1.0, space, Budget(trials=4))
    better, trials = tuned(lambda settings: settings.get("x", -1.0), space, Budget(trials=4))
    again, _ = tuned(lambda settings: settings.get("x", -1.0), space, Budget(trials=4))

    assert level == {}
    assert better == again
    assert trials == 4


def test_simple_scores_are_those_of_their_charts():
    #                age sex  hr    temp  sbp   dbp  rr    spo2  -     -     -
    row = np.array([[70, 1, 131.0, 39.1, 90.0, 50.0, 25.0, 91.0, np.nan, np.nan, np.nan]], dtype=np.float32)

    assert news2(row)[0] == 3 + 2 + 3 + 3 + 3
    assert qsofa(row)[0] == 2


@pytest.mark.parametrize(
    ("systolic", "diastolic", "category"),
    [(118, 76, 0), (124, 78, 1), (124, 82, 2), (135, 70, 2), (141, 70, 3), (118, 90, 3), (181, 80, 4)],
)
def test_blood_pressure_category_is_that_of_the_guideline(systolic, diastolic, category):
    row = np.full((1, 11), np.nan, dtype=np.float32)
    row[0, 4:6] = systolic, diastolic

    assert aha_category(row)[0] == category


@pytest.mark.parametrize("family", ["XGBoost", "logistic regression"])
def test_contributions_add_up_to_how_margins_differ(states, family):
    model = pipeline(family, STATE).fit(states.X, states.y, states.weight)

    found = contributions_of(model, states.X[:50])

    offsets = model.margins(states.X[:50]) - found.sum(axis=2)
    assert offsets == pytest.approx(np.repeat(offsets[:1], 50, axis=0), abs=1e-4)


@pytest.mark.parametrize("family", LEARNED)
def test_a_family_with_a_kept_step_is_explained_by_leaving_inputs_out(states, family):
    model = pipeline(family, STATE, Choice(steps=("pressures", "lda"))).fit(states.X, states.y, states.weight)

    assert contributions_of(model, states.X[:2]) is None
