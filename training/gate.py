"""The gate: one verdict with its reasons on whether a person may promote a challenger.

Reference: docs/reference/gate.md
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

from cds_service.inference.artifact import manifest_digest
from training.evidence import Evidence
from training.gate_statistics import METRICS, STEEPEST, Statistics, gather

FORMAT = 1
BOUNDS = Path(__file__).with_name("gate.toml")

YES, NO, TOO_LITTLE = "yes", "no", "not-enough-evidence"

Bounds = Mapping[str, Any]


class Check(NamedTuple):
    """One thing that was checked; `value` and `bound` are numbers, texts or lists that JSON can hold."""

    name: str
    passed: bool
    value: Any
    bound: Any
    reason: str
    overridable: bool


def judge(evidence: Evidence, bounds: Bounds, about: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict as a JSON object with its own `digest`.

    `about` holds version, manifest_digest, dataset_sha256, trainer and at. The verdict is `not-enough-evidence` when a
    judged class has too few patients, unless something that can never be overridden failed.
    """
    statistics = gather(evidence, draws=bounds["draws"], seed=bounds["seed"])
    stages = [[check for step in stage for check in step(evidence, statistics, bounds)] for stage in _STAGES]
    verdict = {
        "format": FORMAT,
        "task": evidence.task,
        **about,
        "verdict": _verdict(stages),
        "checks": [_plain(check._asdict()) for stage in stages for check in stage],
    }
    return verdict | {"digest": manifest_digest(verdict)}


def read_bounds(path: Path = BOUNDS) -> dict[str, Any]:
    """The bounds of `gate.toml`."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _verdict(stages: list[list[Check]]) -> str:
    """The first stage with a failure decides: what is not even whole is refused, what cannot be judged is not."""
    for stage, said in zip(stages, (NO, TOO_LITTLE, NO), strict=True):
        if not all(check.passed for check in stage):
            return said
    return YES


def _facts(evidence: Evidence, _: Statistics, bounds: Bounds) -> list[Check]:
    """What the artifact and its data must be, whatever the figures say."""
    facts, parity = evidence.facts, bounds["parity"]
    shap_gap = 0.0 if facts.shap_gap is None else facts.shap_gap
    return [
        _never("hashes", facts.digest_matches, facts.digest_matches, True, "every file is the one that was published"),
        _never("onnx-parity", facts.onnx_gap <= parity["onnx"], facts.onnx_gap, parity["onnx"], "served as trained"),
        _never("shap-parity", shap_gap <= parity["shap"], facts.shap_gap, parity["shap"], "explained as trained"),
        _never("golden-cases", not facts.golden_failures, list(facts.golden_failures), [], "clear patients in order"),
        _never("leakage", facts.shared_patients == 0, facts.shared_patients, 0, "no patient both taught and tested"),
        _never("sources", not facts.pooled_sources, facts.pooled_sources, False, "the data come from one source"),
        _never("privacy", not facts.forbidden_columns, list(facts.forbidden_columns), [], "only the allowed columns"),
    ]


def _enough(evidence: Evidence, statistics: Statistics, bounds: Bounds) -> list[Check]:
    least = bounds["evidence"][evidence.task]
    return [
        _never(f"evidence:{name}", count >= least, count, least, "patients of this class among the test rows")
        for name, count in statistics.patients.items()
    ]


_SEPARATED = "told apart without an error, so no slope can be fitted: look for the answer among the inputs"


def _calibration(_: Evidence, statistics: Statistics, bounds: Bounds) -> list[Check]:
    """Floors of calibration; an interval that could not be computed passes nothing."""
    low, high = bounds["calibration"]["expected_over_observed"]
    flat, steep = bounds["calibration"]["slope"]
    skill = bounds["calibration"]["brier_skill"]
    checks = []
    for name, found in statistics.calibration.items():
        ratio, slope, gained = found["expected_over_observed"], found["slope"], found["brier_skill"]
        checks += [
            _never(
                f"expected-over-observed:{name}",
                _meets(ratio, low, high),
                ratio,
                [low, high],
                "neither too many nor few",
            ),
            _never(
                f"calibration-slope:{name}",
                _meets(slope, flat, steep),
                slope,
                [flat, steep],
                _SEPARATED if slope["value"] >= STEEPEST else "not too extreme, not flat",
            ),
            _never(f"brier-skill:{name}", gained["high"] > skill, gained, skill, "better than saying the base rate"),
        ]
    return checks


def _against_champion(_: Evidence, statistics: Statistics, bounds: Bounds) -> list[Check]:
    margins = bounds["non_inferiority"]
    return [
        _open(
            f"non-inferior-{metric}:{name}",
            found[metric]["low"] >= -margins[metric],
            found[metric],
            -margins[metric],
            "against the model in service",
        )
        for name, found in statistics.against_champion.items()
        for metric in METRICS
    ]


def _against_baseline(_: Evidence, statistics: Statistics, bounds: Bounds) -> list[Check]:
    least = bounds["baseline"]["auroc"]
    return [
        _open(f"beats-simple-scores:{name}", found["low"] > least, found, least, "against the best simple score")
        for name, found in statistics.against_baseline.items()
    ]


def _calling(_: Evidence, statistics: Statistics, bounds: Bounds) -> list[Check]:
    """Of classes that exclude one another: whether the model finds each of them, and all together, beyond chance."""
    least = bounds["calling"]["gain"]
    checks = [
        _open(f"{_NAMES[metric]}:{name}", found["low"] > least, found, least, "over what chance gives")
        for name, figures in statistics.calling.items()
        for metric, found in figures.items()
    ]
    gain = statistics.macro_f1
    if gain is not None:
        checks.append(_open("macro-f1", gain["low"] > least, gain, least, "over the best simple score"))
    return checks


_NAMES = {"recall": "recall", "average_precision": "average-precision"}


def _subgroups(evidence: Evidence, statistics: Statistics, bounds: Bounds) -> list[Check]:
    """Against the model in service; the first model of a task against a limit of its own."""
    least = bounds["subgroup"]["patients"]
    if evidence.champion is None:
        check, limit, against = "subgroup-floor", bounds["subgroup"]["floor"][evidence.task], "the first of its task"
    else:
        check, limit, against = "subgroup", -bounds["subgroup"]["auroc"], "against the model in service"
    return [
        _open(f"{check}:{group}={value}:{name}", found["high"] >= limit, found, limit, against)
        for (group, value, name), found in statistics.subgroups.items()
        if found["patients"] >= least
    ]


def _tiers(evidence: Evidence, _: Statistics, bounds: Bounds) -> list[Check]:
    """On the survey: no tier of a risk model ranks worse than what was asked of the first one."""
    return [
        _open(
            f"floor-{metric}:{tier}", value >= (least := bounds["tiers"][tier][metric]), value, least, "on the survey"
        )
        for tier, figures in evidence.facts.tiers.items()
        for metric, value in figures.items()
    ]


def _labels(evidence: Evidence, statistics: Statistics, bounds: Bounds) -> list[Check]:
    """Whether the new labels agree with what the model in service was approved on."""
    drop = bounds["labels"]["drop"]
    return [
        _open(
            f"labels-agree:{name}",
            found["high"] >= evidence.champion_auroc[name] - drop,
            found,
            evidence.champion_auroc[name] - drop,
            "the model in service on these labels: adjudicate them first",
        )
        for name, found in statistics.champion.items()
        if name in evidence.champion_auroc
    ]


def _service(evidence: Evidence, _: Statistics, bounds: Bounds) -> list[Check]:
    facts, limit = evidence.facts, bounds["latency"]["milliseconds"]
    return [
        _open("latency", facts.latency_ms <= limit, round(facts.latency_ms, 3), limit, "one patient, in milliseconds"),
        _open("model-card", not facts.card_missing, list(facts.card_missing), [], "every section is there"),
    ]


_Step = Callable[[Evidence, Statistics, Bounds], list[Check]]
_STAGES: tuple[tuple[_Step, ...], ...] = (
    (_facts,),
    (_enough,),
    (_calibration, _against_champion, _against_baseline, _calling, _subgroups, _tiers, _labels, _service),
)


def _never(name: str, passed: bool, value: Any, bound: Any, reason: str) -> Check:
    return Check(name, bool(passed), value, bound, reason, False)


def _open(name: str, passed: bool, value: Any, bound: Any, reason: str) -> Check:
    return Check(name, bool(passed), value, bound, reason, True)


def _meets(found: Mapping[str, float], low: float, high: float) -> bool:
    """Whether an interval and a range have a point in common; NaN has none."""
    return found["low"] <= high and found["high"] >= low


def _plain(value: Any) -> Any:
    """The same with null for numbers that could not be computed, which JSON cannot hold."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and isnan(value) else value
