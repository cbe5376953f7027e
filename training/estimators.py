"""Learners of our own around libraries: boosted trees as they are served, and a network guarded against collapse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xgboost as xgb
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from cds_service.domain.features import FEATURES, Matrix
from training.fit import booster_from_bytes, with_dropout
from training.scores import Labels, Scores

ROUNDS = "rounds"
"""Number of trees per class; all other settings are XGBoost's own."""


class BoostedTrees(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """XGBoost as it is served: missing values stay missing; monotone, and with inputs dropped out, where asked."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        n_classes: int,
        monotone: Mapping[str, int] | None = None,
        dropout: Mapping[str, Any] | None = None,
        before: bytes | None = None,
    ) -> None:
        self.settings = settings
        self.n_classes = n_classes
        self.monotone = monotone
        self.dropout = dropout
        self.before = before

    def fit(self, X: Matrix, y: Labels, sample_weight: Scores) -> BoostedTrees:
        """Boost `rounds` rounds of trees, after those of the booster `before` (UBJSON) where there is one."""
        weight = sample_weight
        if self.dropout and X.shape[1] <= len(FEATURES):
            X, y, copies = with_dropout(X, y, self.dropout)
            weight = copies * np.tile(sample_weight, 2)
        settings = {key: value for key, value in self.settings.items() if key != ROUNDS}
        if self.n_classes > 2:
            settings |= {"objective": "multi:softprob", "num_class": self.n_classes}
        if self.monotone:
            names = [*FEATURES, *[""] * X.shape[1]][: X.shape[1]]
            settings["monotone_constraints"] = tuple(self.monotone.get(name, 0) for name in names)
        before = None if self.before is None else booster_from_bytes(self.before)
        self.booster_ = xgb.train(settings, xgb.DMatrix(X, y, weight=weight), self.settings[ROUNDS], xgb_model=before)
        self.classes_ = np.arange(self.n_classes)
        return self

    def margins(self, X: Matrix) -> Scores:
        """Log-odds or unnormalised log-probabilities, shape (n,) or (n, n_classes)."""
        margins: Scores = self.booster_.predict(xgb.DMatrix(X), output_margin=True).astype(np.float64)
        return margins


class SteadyForest(RandomForestClassifier):  # type: ignore[misc]
    """A forest grown by several threads whose trees are summed by one: in another order the last digits differ."""

    n_jobs: int | None

    def predict_proba(self, X: Matrix) -> Scores:
        """Probabilities of the classes seen, shape (n, n_classes)."""
        threads, self.n_jobs = self.n_jobs, 1
        try:
            p: Scores = super().predict_proba(X)
        finally:
            self.n_jobs = threads
        return p


class GuardedNetwork(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A small network fitted from several seeds; the best on rows set aside is kept, as one in some collapses."""

    def __init__(
        self, hidden: tuple[int, ...] = (32, 16), alpha: float = 1e-3, seeds: int = 2, epochs: int = 40, seed: int = 0
    ) -> None:
        self.hidden = hidden
        self.alpha = alpha
        self.seeds = seeds
        self.epochs = epochs
        self.seed = seed

    def fit(self, X: Matrix, y: Labels, sample_weight: Scores) -> GuardedNetwork:
        """Fit `seeds` networks on nine tenths and keep the one with the least loss on the last tenth."""
        kept = np.arange(len(y))
        fitted, aside = train_test_split(kept, test_size=0.1, random_state=self.seed, stratify=_stratum(y))
        self.losses_ = []
        best = np.inf
        for offset in range(self.seeds):
            network = self._network(self.seed + offset, len(fitted)).fit(X[fitted], y[fitted], sample_weight[fitted])
            loss = _loss(network, X[aside], y[aside])
            self.losses_.append(loss)
            if loss < best or offset == 0:
                best, self.network_ = loss, network
        self.classes_ = self.network_.classes_
        return self

    def predict_proba(self, X: Matrix) -> Scores:
        """Probabilities of the classes seen, shape (n, n_classes)."""
        p: Scores = self.network_.predict_proba(X)
        return p

    def _network(self, seed: int, n_samples: int) -> MLPClassifier:
        return MLPClassifier(
            self.hidden,
            alpha=self.alpha,
            max_iter=self.epochs,
            batch_size=min(256, max(8, n_samples // 40)),
            n_iter_no_change=6,
            random_state=seed,
        )


def _stratum(y: Labels) -> Labels | None:
    """The classes, when each has rows enough for both shares."""
    return y if np.bincount(y)[np.unique(y)].min() >= 2 else None


def _loss(network: MLPClassifier, X: Matrix, y: Labels) -> float:
    """What its probabilities of the rows lose; rows of a class it was shown none of tell nothing of it."""
    seen = np.isin(y, network.classes_)
    p = network.predict_proba(X[seen])
    return float(log_loss(y[seen], p, labels=network.classes_)) if np.isfinite(p).all() else np.inf
