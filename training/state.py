"""The state model's artifact: graph, calibration, conformal limits and the rows that prove what is served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cds_service.domain.complaints import COMPLAINT_GROUPS
from cds_service.domain.features import FEATURES, FEATURES_VERSION, Matrix
from training.candidates import FoldPipeline
from training.conformal import coverage
from training.contest import Contender
from training.dataset import Dataset
from training.evaluate import histogram
from training.golden import as_lists, golden_rows
from training.graph import onnx_from_forest, run_graph
from training.linear_graph import onnx_from_logistic
from training.publish import json_bytes
from training.task import Task
from training.trees import forest_from_booster

BOOSTER_FILE = "model.ubj"
"""The trees as XGBoost keeps them, so that a later training can go on from them; the service does not read it."""


def state_files(
    task: Task, winner: Contender, fit: Dataset, test: Dataset, params: Mapping[str, Any]
) -> dict[str, bytes]:
    """The files of a served five-state model but for evaluation and card."""
    assert winner.model is not None  # noqa: S101 - only fitted families are served
    graph = graph_of(winner.model)
    booster = getattr(winner.model.model_, "booster_", None)
    golden = golden_rows(params["golden_seed"])
    sets = coverage(winner.p, test.y, winner.limits, task.classes)
    return ({} if booster is None else {BOOSTER_FILE: bytes(booster.save_raw("ubj"))}) | {
        "model.onnx": graph,
        "calibration.json": json_bytes(
            {"temperature": winner.calibration.temperature, "bias": list(winner.calibration.bias)}
        ),
        "conformal.json": json_bytes(
            {
                "alpha": params["compare"]["alpha"],
                "thresholds": dict(zip(task.classes, winner.limits, strict=True)),
                "coverage": sets["by_class"],
            }
        ),
        "golden.json": json_bytes(
            {"rows": as_lists(golden), "margins": run_graph(graph, golden).round(6).tolist()}
        ),
        "reference.json": json_bytes(
            {name: histogram(fit.X[:, k].astype(np.float64)) for k, name in enumerate(FEATURES)}
            | {
                f"probability.{name}": histogram(
                    winner.calibration.probabilities(winner.margins(fit.X))[:, k]
                )
                for k, name in enumerate(task.classes)
            }
        ),
    }  # fmt: skip


def state_described(task: Task, winner: Contender) -> dict[str, Any]:
    """What the manifest of a state model says of itself."""
    return {
        "features_version": FEATURES_VERSION,
        "features": list(FEATURES),
        "complaint_groups": list(COMPLAINT_GROUPS),
        "classes": list(task.classes),
        "family": winner.name,
    }


def graph_of(model: FoldPipeline) -> bytes:
    """The ONNX graph of a fitted pipeline of a served family."""
    if model.family.name == "XGBoost":
        return onnx_from_forest(forest_from_booster(model.model_.booster_), output="margins")
    return onnx_from_logistic(model.prepare_[1], model.model_.coef_, model.model_.intercept_)


def graph_gap(model: FoldPipeline, X: Matrix) -> float:
    """Largest difference between the margins of the fitted pipeline and of its graph, each row's mean taken out."""
    ours, served = model.margins(X), run_graph(graph_of(model), X)
    return float(
        np.abs((ours - ours.mean(axis=1, keepdims=True)) - (served - served.mean(axis=1, keepdims=True))).max()
    )
