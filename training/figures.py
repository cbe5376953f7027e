"""Figures of probabilities on rows nobody was fitted on, each with an interval from resampled patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.dataset import Dataset
from training.gate_statistics import slopes
from training.resampling import Ranking, interval, patient_draws
from training.scores import Scores
from training.task import Task

Draws = NDArray[np.float64]
Curves = Mapping[str, NDArray[np.float64]]


def draws_of(data: Dataset, *, resamples: int, seed: int) -> Draws:
    """Weights of the rows as they are, then of each bootstrap sample of patients, shape (1 + resamples, n)."""
    return np.array([data.weight, *patient_draws(data.patient, data.weight, draws=resamples, seed=seed)])


def class_curves(task: Task, data: Dataset, p: Scores, draws: Draws) -> dict[str, Curves]:
    """By judged class every figure under each draw: the first value is the figure, the others make its interval."""
    called = task.decide(p)
    return {task.classes[k]: _one_class(data.y == k, p[:, k], called == k, draws) for k in task.judged}


def overall_curves(classes: Mapping[str, Curves]) -> Curves:
    """Mean of the judged classes under each draw; a class absent from a draw is left out of its mean."""
    names = next(iter(classes.values())).keys()
    with np.errstate(invalid="ignore"):
        return {name: _mean([curves[name] for curves in classes.values()]) for name in names}


def with_interval(values: NDArray[np.float64]) -> dict[str, float | None]:
    """A figure with its 95 % interval; null where it cannot be computed."""
    low, high = interval(values[1:])
    return {name: _number(value) for name, value in (("value", values[0]), ("low", low), ("high", high))}


def confusion(task: Task, data: Dataset, p: Scores) -> list[list[float]]:
    """Weight of the rows of each class (down) called each class (across)."""
    n = len(task.classes)
    cells: NDArray[Any] = np.bincount(
        data.y.astype(np.int64) * n + task.decide(p), weights=data.weight, minlength=n * n
    )
    found: list[list[float]] = cells.reshape(n, n).round(3).tolist()
    return found


def _one_class(truth: NDArray[np.bool_], p: Scores, called: NDArray[np.bool_], draws: Draws) -> Curves:
    ranking, y, clipped = Ranking(truth, p), truth.astype(np.float64), np.clip(p, 1e-9, 1 - 1e-9)
    logits = np.log(clipped) - np.log1p(-clipped)
    observed, total = draws @ y, draws.sum(axis=1)
    found, flagged = draws @ (y * called), draws @ called.astype(np.float64)
    error, rate = draws @ (p - y) ** 2 / total, observed / total
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = {
            "auroc": np.array([ranking.auroc(weight) for weight in draws]),
            "auprc": np.array([ranking.average_precision(weight) for weight in draws]),
            "f1": 2 * found / (observed + flagged),
            "recall": found / observed,
            "precision": found / flagged,
            "brier": error,
            "brier_skill": 1 - error / (rate * (1 - rate)),
            "expected_over_observed": draws @ p / observed,
            "calibration_slope": slopes(y, logits, draws),
        }
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in figures.items()}


def _mean(curves: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    known = ~np.isnan(curves)
    total = np.where(known, curves, 0.0).sum(axis=0)
    mean: NDArray[np.float64] = total / known.sum(axis=0)
    return mean


def _number(value: Any) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
