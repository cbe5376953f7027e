"""Fits one tier: drops inputs out of copies of the rows, boosts trees, and calibrates on rows it never fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from cds_service.domain.features import FEATURES, Matrix
from training.dataset import Dataset

ALWAYS_KNOWN = ("age", "sex")
"""Never dropped out: without an age there is no estimate, and nearly every record has a sex."""

CONTEXT = FEATURES[8:]
"""What the full tier has over eight vitals; one of them is enough for it to answer, so they are lost more often."""


def fit_booster(
    data: Dataset, columns: tuple[str, ...], params: Mapping[str, Any], before: bytes | None = None
) -> xgb.Booster:
    """Trees over the first columns of the matrix, monotone where `params` say so; after those of `before` (UBJSON)."""
    X, y, weight = with_dropout(data.X[:, : len(columns)], data.y, params["dropout"])
    weight *= np.tile(data.weight, 2)
    settings = dict(params["booster"])
    settings["monotone_constraints"] = tuple(params["monotone"].get(name, 0) for name in columns)
    begun = None if before is None else booster_from_bytes(before)
    return xgb.train(settings, xgb.DMatrix(X, y, weight=weight), params["rounds"], xgb_model=begun)


def booster_from_bytes(content: bytes) -> xgb.Booster:
    """A booster as a file of an artifact holds it."""
    booster = xgb.Booster()
    booster.load_model(bytearray(content))
    return booster


def booster_margins(booster: xgb.Booster, X: Matrix) -> NDArray[np.float32]:
    """Raw log-odds of each row."""
    margins: NDArray[np.float32] = booster.predict(xgb.DMatrix(X[:, : booster.num_features()]), output_margin=True)
    return margins


def calibration_from_margins(margins: NDArray[np.floating[Any]], data: Dataset) -> dict[str, float]:
    """Slope and intercept that turn a margin into calibrated log-odds (Platt 1999), fitted without a penalty."""
    model = LogisticRegression(C=np.inf).fit(margins[:, None].astype(np.float64), data.y, data.weight)
    return {"slope": float(model.coef_[0, 0]), "intercept": float(model.intercept_[0])}


def with_dropout(
    X: Matrix, y: NDArray[np.int8], params: Mapping[str, Any]
) -> tuple[Matrix, NDArray[np.int8], NDArray[np.float64]]:
    """The rows, and copies of them in which inputs were lost at random; both together weigh as much as the rows."""
    chance = np.array([_loss_chance(name, params) for name in FEATURES[: X.shape[1]]])
    lost = np.random.default_rng(params["seed"]).random(X.shape) < chance
    copies = np.where(lost, np.float32(np.nan), X)
    weights = np.repeat([1.0, params["weight"]], len(y)) / (1.0 + params["weight"])
    return np.vstack([X, copies]), np.concatenate([y, y]), weights


def _loss_chance(name: str, params: Mapping[str, Any]) -> float:
    if name in ALWAYS_KNOWN:
        return 0.0
    return float(params["context_share"] if name in CONTEXT else params["share"])
