"""The gate on a year of a hospital: 50,000 test rows, 500 bootstrap samples of patients."""

from __future__ import annotations

import time

import numpy as np

from bench.report import Figure
from training.evidence import Evidence, Facts
from training.gate import judge, read_bounds

_ROWS, _PATIENTS = 50_000, 40_000
_SOUND = Facts(
    shared_patients=0,
    pooled_sources=False,
    digest_matches=True,
    onnx_gap=0.0,
    shap_gap=0.0,
    golden_failures=(),
    forbidden_columns=(),
    latency_ms=0.1,
    card_missing=(),
)


def measure() -> list[Figure]:
    """Seconds for one verdict on two tasks; rows are drawn, no patient's."""
    bounds = read_bounds()
    figures = []
    for task, classes in (("risk", 1), ("state", 5)):
        begun = time.perf_counter()
        judge(_evidence(task, classes), bounds, {})
        seconds = time.perf_counter() - begun
        name = f"gate: {task}, {_ROWS:,} rows, {bounds['draws']} samples"
        figures.append(Figure(name, seconds, "s", at_most=60.0))
    return figures


def _evidence(task: str, classes: int) -> Evidence:
    rng = np.random.default_rng(3)
    signal = rng.normal(size=(_ROWS, classes))
    challenger = 1 / (1 + np.exp(3 - signal))
    return Evidence(
        task=task,
        judged=tuple(f"class {k}" for k in range(classes)),
        truth=rng.random((_ROWS, classes)) < challenger,
        challenger=challenger,
        champion=1 / (1 + np.exp(3 - signal - 0.3 * rng.normal(size=signal.shape))),
        baseline=signal + rng.normal(size=signal.shape),
        patient=rng.integers(0, _PATIENTS, _ROWS),
        weight=np.ones(_ROWS),
        facts=_SOUND,
        groups={
            "sex": rng.choice(np.array(["female", "male"]), _ROWS),
            "age_band": rng.choice(np.array(["18-44", "45-64", "65 and over"]), _ROWS),
        },
    )
