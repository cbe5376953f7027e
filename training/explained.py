"""How the winner uses its inputs: mean size of each contribution, and its direction by fifths of the input."""

from __future__ import annotations

from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from cds_service.domain.features import FEATURES, Matrix
from cds_service.inference.tiers import TIERS, tier_of_rows
from training.comparison import Comparison
from training.in_service import Champion
from training.scores import Scores
from training.search import sample_of

_ROWS = 2000
_FIFTHS = 5


def explanation(found: Comparison) -> dict[str, Any]:
    """By judged class and input the mean size of its contribution in log-odds, and its mean in each fifth of the input.

    Means of many patients, never one patient's.
    """
    X = sample_of(found.parts.test, _ROWS, seed=0).X
    contributions = _contributions(found, X)
    if contributions is None:
        return {}
    return {
        found.task.classes[k]: {
            name: _summary(X[:, column], contributions[:, min(k, contributions.shape[1] - 1), column])
            for column, name in enumerate(FEATURES)
        }
        for k in found.task.judged
    }


def _contributions(found: Comparison, X: Matrix) -> NDArray[np.float64] | None:
    if found.winner.model is not None:
        return contributions_of(found.winner.model, X)
    return None if found.champion is None or found.task.name != "risk" else _of_champion(found.champion, X)


def _of_champion(champion: Champion, X: Matrix) -> NDArray[np.float64]:
    """Of the trees in service, whose calibration alone is new: each row's by the tier that answers for it."""
    contributions = np.zeros((len(X), 1, len(FEATURES)))
    tier = tier_of_rows(X)
    for name in np.unique(tier):
        rows, width = tier == name, len(TIERS[name])
        booster = xgb.Booster(model_file=bytearray(champion.artifact.files[f"{name}.ubj"]))
        told = booster.predict(xgb.DMatrix(np.ascontiguousarray(X[rows, :width])), pred_contribs=True)
        contributions[rows, 0, :width] = told[:, :-1]
    return contributions


def contributions_of(model: Any, X: Matrix) -> NDArray[np.float64] | None:
    """Contributions (n, n_classes, n_features): TreeSHAP of boosted trees, exact for a linear model; else None."""
    if model.choice.steps:
        return None  # columns beside the inputs have no input of their own to be told for
    if model.family.name == "XGBoost":
        found = model.model_.booster_.predict(xgb.DMatrix(X), pred_contribs=True).astype(np.float64)
        shaped: NDArray[np.float64] = found[:, None, :] if found.ndim == 2 else found
        return shaped[:, :, :-1]
    if model.family.name == "logistic regression":
        return _linear(model, X)
    return None


def _linear(model: Any, X: Matrix) -> NDArray[np.float64]:
    """Coefficient times scaled value, an input's indicator of absence counted with it."""
    inputs = model.prepare_.transform(X)
    parts = inputs[:, None, :] * model.model_.coef_[None, :, :]
    found: NDArray[np.float64] = parts[:, :, : len(FEATURES)].copy()
    for position, column in enumerate(model.prepare_[1][0].indicator_.features_):
        found[:, :, column] += parts[:, :, len(FEATURES) + position]
    return found


def _summary(values: Matrix, contributions: Scores) -> dict[str, Any]:
    known = ~np.isnan(values)
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, _FIFTHS + 1)[1:-1])) if known.any() else np.array([])
    fifth = np.searchsorted(edges, values[known], side="right")
    missing = contributions[~known]
    return {
        "size": round(float(np.abs(contributions).mean()), 6),
        "by_fifth": [
            round(float(contributions[known][fifth == number].mean()), 6) if (fifth == number).any() else None
            for number in range(len(edges) + 1)
        ],
        "missing": round(float(missing.mean()), 6) if len(missing) else None,
    }
