"""What may be done about rare classes, inside the rows a model is fitted on and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from imblearn.over_sampling import SMOTE, RandomOverSampler

from cds_service.domain.features import Matrix
from training.scores import Labels, Scores

Rows = tuple[Matrix, Labels, Scores]


def _plain(rows: Rows, params: Mapping[str, Any]) -> Rows:
    return rows


def _class_weights(rows: Rows, params: Mapping[str, Any]) -> Rows:
    """Every class weighs the same on the whole."""
    X, y, weight = rows
    by_class = np.bincount(y, weights=weight)
    return X, y, weight * (weight.sum() / (np.count_nonzero(by_class) * by_class[y]))


def _oversampling(rows: Rows, params: Mapping[str, Any]) -> Rows:
    """Rows of rare classes again, until each class has `ratio` of the largest."""
    X, y, weight = rows
    sampler = RandomOverSampler(sampling_strategy=_targets(y, params["ratio"]), random_state=params["seed"])
    sampler.fit_resample(X, y)
    chosen = sampler.sample_indices_
    return X[chosen], y[chosen], weight[chosen]


def _smote(rows: Rows, params: Mapping[str, Any]) -> Rows:
    """Made-up rows between neighbours of rare classes (Chawla 2002); each weighs what its class does on average."""
    X, y, weight = rows
    neighbours = min(params["neighbours"], int(np.bincount(y)[np.unique(y)].min()) - 1)
    if neighbours < 1:
        return rows
    sampler = SMOTE(sampling_strategy=_targets(y, params["ratio"]), k_neighbors=neighbours, random_state=params["seed"])
    more, labels = sampler.fit_resample(X, y)
    mean = np.bincount(y, weights=weight) / np.maximum(np.bincount(y), 1)
    return more, labels, np.concatenate([weight, mean[labels[len(y) :]]])


ARMS: Mapping[str, Callable[[Rows, Mapping[str, Any]], Rows]] = {
    "plain": _plain,
    "class-weights": _class_weights,
    "oversampling": _oversampling,
    "smote": _smote,
}

NEEDS_ALL_VALUES = ("smote",)
"""Arms that cannot work with missing values."""


def _targets(y: Labels, ratio: float) -> dict[int, int]:
    counts = np.bincount(y)
    wanted = int(counts.max() * ratio)
    return {int(k): wanted for k in np.flatnonzero(counts) if counts[k] < wanted}
