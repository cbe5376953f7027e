"""Fits how far a list can be trusted, on published cases: steepness of the softmax, then one logistic curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from cds_service.inference.ranker import Ranker, best_rows
from cds_service.inference.ranker_bench import Case, calibration_error, ranked_cases, weights_by_disease
from cds_service.inference.ranker_confidence import log_odds_of_mass

_STEEPNESS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
# Lists are shown with three to fifty candidates; the curve is fitted to these lengths together.
_LENGTHS = (1, 3, 5, 10, 20)
_FOLDS = 5


class Observed(NamedTuple):
    """One case: its disease, findings, rank, and for each steepness the log-odds of mass and of its own share."""

    diagnosis: str
    n_findings: int
    rank: int
    odds: NDArray[np.float64]
    own: NDArray[np.float64]


def fit_confidence(ranker: Ranker, cases: Sequence[Case]) -> dict[str, Any]:
    """The numbers of `Confidence` without its bands, and their calibration error when diseases are held out.

    Fitted under protocol S. All diseases together weigh the same, so that no large cohort decides.
    """
    observed = [
        _observed(one.case.diagnosis, one.n_findings, one.rank, one.scores)
        for one in ranked_cases(ranker, cases, "S")
        if one.n_findings
    ]
    weights = weights_by_disease([one.diagnosis for one in observed])
    likelihoods = [np.average([one.own[at] for one in observed], weights=weights) for at in range(len(_STEEPNESS))]
    at = int(np.argmax(likelihoods))
    curve = _fit(observed, weights, at)
    return {
        "steepness": _STEEPNESS[at],
        "intercept": round(float(curve.intercept_[0]), 3),
        "mass_weight": round(float(curve.coef_[0][0]), 3),
        "findings_weight": round(float(curve.coef_[0][1]), 3),
        "held_out_calibration_error": _held_out(observed, weights, at),
    }


def _observed(diagnosis: str, n_findings: int, rank: int, scores: NDArray[np.float32]) -> Observed:
    best = best_rows(scores, max(_LENGTHS))
    odds = [log_odds_of_mass(scores, best, steepness)[np.array(_LENGTHS) - 1] for steepness in _STEEPNESS]
    own = [_own_share(scores, rank, steepness) for steepness in _STEEPNESS]
    return Observed(diagnosis, n_findings, rank, np.array(odds), np.array(own))


def _own_share(scores: NDArray[np.float32], rank: int, steepness: float) -> float:
    """Log of the softmax share of the disease in that place, at least that of one in a million."""
    mass = np.exp(steepness * (np.sort(scores)[::-1] - scores.max()).astype(np.float64))
    return float(np.log(max(mass[rank - 1] / mass.sum(), 1e-6))) if rank <= len(scores) else float(np.log(1e-6))


def _fit(observed: Sequence[Observed], weights: NDArray[np.float64], at: int) -> LogisticRegression:
    X, y = _rows(observed, at)
    return LogisticRegression(C=1e6).fit(X, y, sample_weight=np.repeat(weights, len(_LENGTHS)))


def _rows(observed: Sequence[Observed], at: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """One row for each case and length: log-odds of mass and log of the number of findings; whether it was found."""
    X = [[odds, np.log(one.n_findings)] for one in observed for odds in one.odds[at]]
    return np.array(X), np.array([one.rank <= length for one in observed for length in _LENGTHS])


def _held_out(observed: Sequence[Observed], weights: NDArray[np.float64], at: int) -> float:
    """The calibration error of lists of ten, each disease judged by a curve fitted to others."""
    stated = np.zeros(len(observed))
    diseases = [one.diagnosis for one in observed]
    for fitted, judged in GroupKFold(_FOLDS).split(stated, groups=diseases):
        curve = _fit([observed[i] for i in fitted], weights[fitted], at)
        X, _ = _rows([observed[i] for i in judged], at)
        stated[judged] = curve.predict_proba(X)[_LENGTHS.index(10) :: len(_LENGTHS), 1]
    return calibration_error(stated, np.array([one.rank <= 10 for one in observed]), weights)
