"""Refuses data of several sources that can be told apart by their inputs: a model would learn the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from cds_service.errors import ConfigurationError
from training.dataset import Dataset


def refuse_pooled_sources(data: Dataset, params: Mapping[str, Any]) -> float | None:
    """How well sites are told apart (highest AUROC of one against the rest), None for one; too well is refused."""
    sites, counts = np.unique(data.site, return_counts=True)
    if len(sites) == 1:
        return None
    if counts.min() < params["folds"]:
        raise ConfigurationError(
            f"a site has only {counts.min()} rows: nobody can say whether it may be pooled", where="dataset"
        )
    found = _told_apart(data, params)
    if found > params["auroc"]:
        raise ConfigurationError(
            f"{len(sites)} sources can be told apart by their inputs (AUROC {found:.2f}, at most {params['auroc']}): "
            "train one at a time",
            where="dataset",
        )
    return found


def _told_apart(data: Dataset, params: Mapping[str, Any]) -> float:
    rng = np.random.default_rng(params["seed"])
    chosen = np.sort(rng.permutation(len(data.y))[: params["rows"]])
    X, site = data.X[chosen], data.site[chosen]
    model = LGBMClassifier(n_estimators=40, num_leaves=15, n_jobs=1, random_state=params["seed"], verbose=-1)
    folds = StratifiedKFold(params["folds"], shuffle=True, random_state=params["seed"])
    p = cross_val_predict(model, X, site, cv=folds, method="predict_proba")
    return float(max(roc_auc_score(site == name, p[:, k]) for k, name in enumerate(np.unique(site))))
