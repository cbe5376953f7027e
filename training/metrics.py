"""What a score is worth: discrimination, calibration and workload, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

Labels: TypeAlias = NDArray[np.int8]
Scores: TypeAlias = NDArray[np.float64]
Metric: TypeAlias = Callable[[Labels, Scores], float]

SPECIFICITY = 0.90


def auroc(y: Labels, p: Scores) -> float:
    """Chance that an admitted visit scores over one that was not."""
    return float(roc_auc_score(y, p))


def auprc(y: Labels, p: Scores) -> float:
    """Average precision."""
    return float(average_precision_score(y, p))


def expected_over_observed(y: Labels, p: Scores) -> float:
    """Predicted over observed number of admissions; 1 is right on the whole."""
    return float(p.sum() / y.sum())


def calibration_slope(y: Labels, p: Scores) -> float:
    """Slope of the outcome on the predicted log-odds; under 1 the predictions are too extreme."""
    return float(LogisticRegression(C=np.inf).fit(logit(p)[:, None], y).coef_[0, 0])


def brier_skill(y: Labels, p: Scores) -> float:
    """Part of the base rate's squared error that the predictions save."""
    return float(1.0 - np.mean((p - y) ** 2) / np.mean((y.mean() - y) ** 2))


def sensitivity_at_specificity(y: Labels, p: Scores) -> float:
    """Share of admissions found at 90 % specificity."""
    false_positive, true_positive, _ = roc_curve(y, p)
    return float(np.interp(1.0 - SPECIFICITY, false_positive, true_positive))


METRICS: dict[str, Metric] = {
    "auroc": auroc,
    "auprc": auprc,
    "sensitivity_at_90_specificity": sensitivity_at_specificity,
    "expected_over_observed": expected_over_observed,
    "calibration_slope": calibration_slope,
    "brier_skill": brier_skill,
}


def with_intervals(y: Labels, p: Scores, *, resamples: int, seed: int) -> dict[str, dict[str, float]]:
    """Every metric with its 95 % percentile-bootstrap interval over visits."""
    draws = np.random.default_rng(seed).integers(0, len(y), size=(resamples, len(y)))
    bounds = {name: np.percentile([f(y[d], p[d]) for d in draws], [2.5, 97.5]) for name, f in METRICS.items()}
    return {
        name: {"value": f(y, p), "low": float(bounds[name][0]), "high": float(bounds[name][1])}
        for name, f in METRICS.items()
    }


def workload(y: Labels, p: Scores, threshold: float) -> dict[str, float]:
    """Flags per 100 visits at a threshold, the share of them that are false, and the share of admissions found."""
    flagged = p >= threshold
    return {
        "threshold": threshold,
        "flags_per_100": float(100.0 * flagged.mean()),
        "false_share": float(1.0 - y[flagged].mean()),
        "sensitivity": float(y[flagged].sum() / y.sum()),
    }


def logit(p: Scores) -> Scores:
    """Log-odds."""
    return np.log(p) - np.log1p(-p)
