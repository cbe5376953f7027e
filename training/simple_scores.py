"""Scores a nurse could work out by hand: what every model must beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from cds_service.domain.early_warning import CHART
from cds_service.domain.features import FEATURES, Matrix
from training.scores import Labels, Scores
from training.steps import shock_index


def news2(X: Matrix) -> Scores:
    """NEWS2 without consciousness and oxygen; an absent vital scores 0, as a chart left blank does."""
    total = np.zeros(len(X))
    for parameter, ((limits, points), per_unit) in CHART.items():
        values = X[:, FEATURES.index("heart_rate" if parameter == "pulse" else parameter)].astype(np.float64)
        scored = np.array(points)[np.searchsorted(limits, np.floor(values * per_unit + 0.5))]
        total += np.where(np.isnan(values), 0, scored)
    return total


def qsofa(X: Matrix) -> Scores:
    """qSOFA without consciousness: breathing rate from 22 and systolic pressure to 100 (Singer 2016)."""
    rate, pressure = (X[:, FEATURES.index(name)] for name in ("respiratory_rate", "systolic_bp"))
    return (rate >= 22).astype(np.float64) + (pressure <= 100)


def age(X: Matrix) -> Scores:
    """Age in years; the middle of adult life where unknown."""
    return np.nan_to_num(X[:, FEATURES.index("age")].astype(np.float64), nan=50.0)


def shock(X: Matrix) -> Scores:
    """Shock index; 0.7, the upper end of the usual range, where a vital is absent."""
    return np.nan_to_num(shock_index(X).astype(np.float64), nan=0.7)


def nothing(X: Matrix) -> Scores:
    """The same for everybody."""
    return np.zeros(len(X))


SIMPLE_SCORES: Mapping[str, Callable[[Matrix], Scores]] = {
    "NEWS2": news2,
    "shock index": shock,
    "qSOFA": qsofa,
    "age": age,
    "majority": nothing,
}


class ScoreModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Probabilities of each class from one simple score, by logistic regression on it."""

    def __init__(self, score: str = "NEWS2") -> None:
        self.score = score

    def fit(self, X: Matrix, y: Labels, sample_weight: Scores | None = None) -> ScoreModel:
        """Learn how the score goes with the classes."""
        self.model_ = LogisticRegression(max_iter=500).fit(self._inputs(X), y, sample_weight)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X: Matrix) -> Scores:
        """Probabilities of the classes seen, shape (n, n_classes)."""
        p: Scores = self.model_.predict_proba(self._inputs(X))
        return p

    def _inputs(self, X: Matrix) -> Scores:
        return SIMPLE_SCORES[self.score](X)[:, None] / 10.0
