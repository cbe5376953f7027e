"""The gate: what makes it say yes, no, or that there is too little to judge, each by a challenger made for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cds_service.inference.artifact import manifest_digest
from training.evidence import Evidence, Facts
from training.gate import judge, read_bounds
from training.gate_statistics import STEEPEST, slopes
from training.resampling import patient_draws

BOUNDS = read_bounds() | {"draws": 80}
ABOUT = {
    "version": "1.1.0",
    "manifest_digest": "a" * 64,
    "dataset_sha256": "b" * 64,
    "trainer": "ada",
    "at": "2026-01-01",
}
SOUND = Facts(
    shared_patients=0,
    pooled_sources=False,
    digest_matches=True,
    onnx_gap=1e-6,
    shap_gap=2e-6,
    golden_failures=(),
    forbidden_columns=(),
    latency_ms=0.2,
    card_missing=(),
)
NEVER = {
    "hashes": {"digest_matches": False},
    "onnx-parity": {"onnx_gap": 1e-3},
    "shap-parity": {"shap_gap": 1e-3},
    "golden-cases": {"golden_failures": ("septic-shock, female, 60 years: icu",)},
    "leakage": {"shared_patients": 1},
    "sources": {"pooled_sources": True},
    "privacy": {"forbidden_columns": ("name",)},
}
SERVICE = {"latency": {"latency_ms": 50.0}, "model-card": {"card_missing": ("limits",)}}


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def evidence(**changed: Any) -> Evidence:
    """Visits of a made-up ward, the challenger seeing a little more than the model in service."""
    rng = np.random.default_rng(5)
    n = 4000
    signal, noise = rng.normal(size=n), rng.normal(size=n)
    p = _sigmoid(1.5 * signal - 2)
    given = {
        "task": "risk",
        "judged": ("icu",),
        "truth": (rng.random(n) < p)[:, None],
        "challenger": p[:, None],
        "champion": _sigmoid(1.4 * signal + 0.8 * noise - 2)[:, None],
        "baseline": (signal + 2 * noise)[:, None],
        "patient": np.arange(n) // 2,
        "weight": np.ones(n),
        "facts": SOUND,
        "groups": {"sex": rng.choice(np.array(["female", "male"]), n)},
        "champion_auroc": {"icu": 0.78},
    }
    return Evidence(**(given | changed))


def _failed(verdict: dict[str, Any]) -> set[str]:
    return {check["name"] for check in verdict["checks"] if not check["passed"]}


def test_a_sound_and_better_challenger_passes() -> None:
    verdict = judge(evidence(), BOUNDS, ABOUT)
    assert (verdict["verdict"], _failed(verdict)) == ("yes", set())


def test_the_verdict_is_json_with_its_own_digest_and_always_the_same() -> None:
    verdict = judge(evidence(), BOUNDS, ABOUT)
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
    assert verdict["digest"] == manifest_digest(verdict)
    assert verdict == judge(evidence(), BOUNDS, ABOUT)
    assert ABOUT.items() <= verdict.items()


@pytest.mark.parametrize(("name", "fact"), NEVER.items(), ids=NEVER)
def test_no_figure_makes_up_for_an_artifact_that_is_not_whole(name: str, fact: dict[str, Any]) -> None:
    verdict = judge(evidence(facts=replace(SOUND, **fact)), BOUNDS, ABOUT)
    assert (verdict["verdict"], _failed(verdict)) == ("no", {name})
    assert not any(check["overridable"] for check in verdict["checks"] if check["name"] == name)


@pytest.mark.parametrize(("name", "fact"), SERVICE.items(), ids=SERVICE)
def test_what_a_person_may_accept_is_marked_so(name: str, fact: dict[str, Any]) -> None:
    verdict = judge(evidence(facts=replace(SOUND, **fact)), BOUNDS, ABOUT)
    assert (verdict["verdict"], _failed(verdict)) == ("no", {name})
    assert all(check["overridable"] for check in verdict["checks"] if check["name"] == name)


def test_few_patients_are_too_little_to_judge() -> None:
    whole = evidence()
    few = np.flatnonzero(~whole.truth[:, 0])[:500].tolist() + np.flatnonzero(whole.truth[:, 0])[:12].tolist()
    rows = {
        name: getattr(whole, name)[few] for name in ("truth", "challenger", "champion", "baseline", "patient", "weight")
    }
    verdict = judge(evidence(**rows, groups={}), BOUNDS, ABOUT)
    assert verdict["verdict"] == "not-enough-evidence"
    assert "evidence:icu" in _failed(verdict)


def test_no_case_at_all_is_too_little_and_still_json() -> None:
    verdict = judge(evidence(truth=np.zeros((4000, 1), dtype=bool)), BOUNDS, ABOUT)
    assert verdict["verdict"] == "not-enough-evidence"
    json.dumps(verdict, allow_nan=False)


def test_a_worse_challenger_is_refused() -> None:
    whole = evidence()
    verdict = judge(evidence(challenger=whole.champion, champion=whole.challenger), BOUNDS, ABOUT)
    assert verdict["verdict"] == "no"
    assert "non-inferior-auroc:icu" in _failed(verdict)


@pytest.mark.parametrize(
    ("name", "distorted"),
    [
        ("expected-over-observed:icu", lambda p: np.minimum(2 * p, 0.999)),
        ("calibration-slope:icu", lambda p: p**3 / (p**3 + (1 - p) ** 3)),
        ("brier-skill:icu", lambda p: np.where(p > 0.2, 0.97, 0.9)),
    ],
)
def test_miscalibration_is_never_overridden(name: str, distorted: Any) -> None:
    verdict = judge(evidence(challenger=distorted(evidence().challenger)), BOUNDS, ABOUT)
    assert verdict["verdict"] == "no"
    assert name in _failed(verdict)
    assert not any(check["overridable"] for check in verdict["checks"] if check["name"] == name)


def test_a_challenger_no_better_than_a_score_is_refused() -> None:
    whole = evidence()
    verdict = judge(evidence(baseline=whole.challenger), BOUNDS, ABOUT)
    assert _failed(verdict) == {"beats-simple-scores:icu"}


def test_a_loss_in_one_subgroup_is_found_behind_a_gain_in_all() -> None:
    whole = evidence()
    women = whole.groups["sex"] == "female"
    challenger = np.where(women[:, None], np.random.default_rng(0).permutation(whole.challenger), whole.challenger)
    verdict = judge(evidence(challenger=challenger), BOUNDS, ABOUT)
    assert "subgroup:sex=female:icu" in _failed(verdict)
    assert "subgroup:sex=male:icu" not in _failed(verdict)


def test_a_first_model_that_is_blind_in_one_subgroup_is_refused_by_a_limit_of_its_own() -> None:
    whole = evidence()
    for group in ("sex", "age", "site"):
        one = np.random.default_rng(9).random(4000) < 0.3
        blind = np.where(one[:, None], np.random.default_rng(0).permutation(whole.challenger), whole.challenger)
        groups = {group: np.where(one, "this", "the others")}
        verdict = judge(evidence(challenger=blind, champion=None, champion_auroc={}, groups=groups), BOUNDS, ABOUT)
        assert f"subgroup-floor:{group}=this:icu" in _failed(verdict)
        assert f"subgroup-floor:{group}=the others:icu" not in _failed(verdict)


TIERS = {name: dict(floors) for name, floors in BOUNDS["tiers"].items()}


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("metric", ["auroc", "average_precision"])
def test_no_tier_falls_below_what_was_asked_of_the_first_risk_model(tier: str, metric: str) -> None:
    assert judge(evidence(facts=replace(SOUND, tiers=TIERS)), BOUNDS, ABOUT)["verdict"] == "yes"
    lower = TIERS | {tier: TIERS[tier] | {metric: TIERS[tier][metric] - 1e-6}}

    verdict = judge(evidence(facts=replace(SOUND, tiers=lower)), BOUNDS, ABOUT)

    assert (verdict["verdict"], _failed(verdict)) == ("no", {f"floor-{metric}:{tier}"})


def test_labels_the_model_in_service_disagrees_with_are_asked_about_first() -> None:
    whole = evidence()
    turned = np.random.default_rng(1).random(whole.truth.shape) < 0.5
    verdict = judge(evidence(truth=whole.truth ^ turned), BOUNDS, ABOUT)
    assert verdict["verdict"] == "no"
    assert "labels-agree:icu" in _failed(verdict)


def test_the_first_model_of_a_task_is_held_to_floors_and_simple_scores_alone() -> None:
    verdict = judge(evidence(champion=None, champion_auroc={}), BOUNDS, ABOUT)
    names = {check["name"].partition(":")[0] for check in verdict["checks"]}
    assert verdict["verdict"] == "yes"
    assert not names & {"non-inferior-auroc", "non-inferior-average_precision", "subgroup", "labels-agree"}
    assert "subgroup-floor" in names


def five_states(**changed: Any) -> Evidence:
    """Patients of five states that exclude one another, told apart in part; the simple score knows less."""
    rng = np.random.default_rng(8)
    n = 3000
    logits = rng.normal(size=(n, 5)) * 2
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = {
        "task": "state",
        "judged": ("not-ill", "mild", "acute", "chronic", "terminal"),
        "truth": (rng.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1)[:, None] == np.arange(5),
        "challenger": p,
        "champion": None,
        "champion_auroc": {},
        "baseline": logits + 3 * rng.normal(size=(n, 5)),
        "patient": np.arange(n),
        "groups": {},
    }
    return evidence(**(given | {"weight": np.ones(n)} | changed))


def test_each_of_five_states_is_judged_alone() -> None:
    sound = five_states()
    assert judge(sound, BOUNDS, ABOUT)["verdict"] == "yes"
    swapped = sound.challenger[:, [0, 1, 2, 4, 3]]
    verdict = judge(replace(sound, challenger=swapped), BOUNDS, ABOUT)
    assert {name.partition(":")[2] for name in _failed(verdict) if name != "macro-f1"} == {"chronic", "terminal"}


def test_a_state_that_is_never_called_has_no_recall_though_it_ranks_well() -> None:
    sound = five_states()
    silent = sound.challenger * np.array([1, 1, 1, 1, 1e-3])

    verdict = judge(replace(sound, challenger=silent), BOUNDS, ABOUT)

    assert {"recall:terminal"} <= _failed(verdict)
    assert "average-precision:terminal" not in _failed(verdict)


def test_states_no_better_called_than_by_a_simple_score_are_refused_with_their_macro_f1() -> None:
    sound = five_states()

    verdict = judge(replace(sound, baseline=sound.challenger), BOUNDS, ABOUT)

    [check] = [check for check in verdict["checks"] if check["name"] == "macro-f1"]
    assert (check["passed"], check["overridable"], check["value"]["value"]) == (False, True, 0.0)
    assert 0.5 < check["value"]["of"] < 0.9


def test_a_class_told_apart_without_an_error_is_refused_with_the_reason() -> None:
    truth = evidence().truth
    verdict = judge(evidence(challenger=np.where(truth, 0.9, 0.05)), BOUNDS, ABOUT)

    [check] = [check for check in verdict["checks"] if check["name"] == "calibration-slope:icu"]
    assert (check["passed"], check["overridable"], check["value"]["value"]) == (False, False, 20.0)
    assert "without an error" in check["reason"]


def test_a_small_class_that_some_samples_tell_apart_is_judged_by_the_others() -> None:
    rng = np.random.default_rng(3)
    logits = np.concatenate([rng.normal(-5.5, 1.4, 3985), rng.normal(2.0, 2.2, 15)])
    y = np.arange(4000) >= 3985
    weights = np.array([np.ones(4000), *patient_draws(np.arange(4000), np.ones(4000), draws=200, seed=1)])

    found = slopes(y.astype(float), logits, weights)

    assert not np.isnan(found).any()
    assert found[0] < STEEPEST


def test_the_same_word_for_everybody_has_no_slope_and_is_refused() -> None:
    verdict = judge(evidence(challenger=np.full((4000, 1), 0.2)), BOUNDS, ABOUT)

    [check] = [check for check in verdict["checks"] if check["name"] == "calibration-slope:icu"]
    assert (check["passed"], check["value"]["value"]) == (False, None)
