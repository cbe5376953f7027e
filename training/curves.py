"""Points of the report's curves, few enough to be read: ROC, precision and recall, calibration, workload, learning."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.features import FEATURES
from training.comparison import Comparison
from training.dataset import Dataset
from training.figures import draws_of
from training.resampling import interval
from training.scores import Scores
from training.search import quality, sample_of

GRID = np.linspace(0, 1, 41)
_BAND_DRAWS = 60
_BINS = 10
_SHARES = (0.1, 0.25, 0.5, 1.0)
# Flags per 100 patients a ward might bear: chosen by us, to show what each costs.
_FLAGS = (1, 2, 5, 10, 15, 20, 30, 50)

Points = dict[str, list[float | None]]


def class_charts(found: Comparison) -> dict[str, Any]:
    """By judged class the winner's curves, with intervals by patient."""
    test = found.parts.test
    draws = draws_of(test, resamples=_BAND_DRAWS, seed=found.params["compare"]["seed"])
    charts = {}
    for k in found.task.judged:
        truth, p = test.y == k, found.winner.p[:, k]
        charts[found.task.classes[k]] = {
            "roc": _band([_roc(truth, p, weight) for weight in draws]),
            "precision_recall": _band([_precision(truth, p, weight) for weight in draws]),
            "calibration": _calibration(truth, p, test.weight),
            "workload": [_workload(truth, p, test.weight, share / 100) for share in _FLAGS],
        }
    return charts


def _steps(truth: NDArray[np.bool_], p: Scores, weight: Scores) -> tuple[Scores, Scores]:
    """Weight of true and of false flags as the threshold falls, one step for each probability."""
    order = np.argsort(-p, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(p[order]) != 0, True])
    ordered = weight[order]
    true = np.cumsum(ordered * truth[order])[ends]
    return true, np.cumsum(ordered)[ends] - true


def _roc(truth: NDArray[np.bool_], p: Scores, weight: Scores) -> Scores:
    true, false = (np.r_[0.0, steps] for steps in _steps(truth, p, weight))
    return np.asarray(np.interp(GRID, false / max(false[-1], 1e-12), true / max(true[-1], 1e-12)))


def _precision(truth: NDArray[np.bool_], p: Scores, weight: Scores) -> Scores:
    true, false = _steps(truth, p, weight)
    recall, precision = true / max(true[-1], 1e-12), true / np.maximum(true + false, 1e-12)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    found: Scores = best[np.minimum(np.searchsorted(recall, GRID - 1e-12), len(best) - 1)]
    return found


def _band(curves: list[Scores]) -> Points:
    low, high = np.array([interval(np.array([curve[i] for curve in curves[1:]])) for i in range(len(GRID))]).T
    return {name: values.round(4).tolist() for name, values in (("value", curves[0]), ("low", low), ("high", high))}


def _calibration(truth: NDArray[np.bool_], p: Scores, weight: Scores) -> list[dict[str, float]]:
    """Expected and observed share in tenths of the rows by probability."""
    bins = np.array_split(np.argsort(p, kind="stable"), _BINS)
    return [
        {
            "expected": float(np.average(p[rows], weights=weight[rows])),
            "observed": float(np.average(truth[rows], weights=weight[rows])),
            "rows": len(rows),
        }
        for rows in bins
        if len(rows)
    ]


def _workload(truth: NDArray[np.bool_], p: Scores, weight: Scores, share: float) -> dict[str, float]:
    """What flagging the likeliest share of patients costs and finds."""
    order = np.argsort(-p, kind="stable")
    flagged = order[: max(1, round(share * len(order)))]
    found = float((weight * truth)[flagged].sum())
    return {
        "flags_per_100": round(100 * share, 1),
        "threshold": round(float(p[flagged[-1]]), 6),
        "false_share": round(1 - found / float(weight[flagged].sum()), 6),
        "found": round(found / max(float((weight * truth).sum()), 1e-12), 6),
    }


def correlations(data: Dataset) -> list[list[float | None]]:
    """Rank correlation of each pair of inputs, over the rows that have both; null under 20 rows."""
    n = len(FEATURES)
    table: list[list[float | None]] = [[None] * n for _ in range(n)]
    some = sample_of(data, 20_000, 0).X.astype(np.float64)
    for i in range(n):
        for j in range(i, n):
            both = ~np.isnan(some[:, i] + some[:, j])
            if both.sum() >= 20:
                table[i][j] = table[j][i] = _rank_correlation(some[both, i], some[both, j])
    return table


def _rank_correlation(first: Scores, second: Scores) -> float | None:
    a, b = _ranks(first), _ranks(second)
    if a.std() == 0 or b.std() == 0:
        return None
    return round(float(np.corrcoef(a, b)[0, 1]), 4)


def _ranks(column: Scores) -> Scores:
    """Mean ranks, equal values alike."""
    _, index, counts = np.unique(column, return_inverse=True, return_counts=True)
    ends: Scores = np.cumsum(counts) - (counts - 1) / 2.0
    return ends[index]


def learning_curve(found: Comparison) -> list[dict[str, float]]:
    """Quality on the test rows of the winner's kind fitted on part of the patients; nothing is chosen from it."""
    model, fit = found.winner.model, found.parts.fit
    if model is None:
        return []
    points = []
    for share in _SHARES:
        part = sample_of(fit, int(share * len(fit.y)), seed=found.params["compare"]["seed"])
        if len(np.unique(part.y)) < len(found.task.classes):
            continue
        fitted = type(model)(model.family, model.task, model.choice, model.params).fit(part.X, part.y, part.weight)
        test = found.parts.test
        points.append(
            {
                "rows": len(part.y),
                "quality": round(quality(found.task, test.y, fitted.margins(test.X), test.weight) / 2, 6),
            }
        )
    return points
