"""What is found about a written artifact and its data without any statistics: each fact is looked at, none assumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb

from cds_service.domain.features import Matrix
from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import open_artifact
from cds_service.inference.predictor import Predictor, load_predictor
from training.challenger_card import missing_sections
from training.comparison import Comparison, Order
from training.dataset import Dataset, survey_sha256
from training.evaluate import tier_probabilities
from training.evidence import Facts
from training.exported import forbidden_columns, is_exported, rows_sha256
from training.golden_cases import golden_failures
from training.graph import run_graph
from training.metrics import auprc, auroc
from training.partition import shared_patients
from training.scores import Scores
from training.sources import refuse_pooled_sources
from training.state import graph_gap
from training.timing import milliseconds

_GAP_ROWS = 500


def facts_of(order: Order, found: Comparison, directory: Path, served: Callable[[Matrix], Any]) -> Facts:
    """The facts about the artifact in `directory`, which answers rows of inputs as `served` does."""
    X = found.parts.test.X[:_GAP_ROWS]
    onnx_gap, shap_gap = _risk_gaps(directory, X) if found.task.name == "risk" else (_state_gap(found, X), None)
    judged = list(found.task.judged)
    return Facts(
        shared_patients=shared_patients(found.parts),
        pooled_sources=are_pooled(reduce(Dataset.joined, found.parts), found.params["compare"]["sources"]),
        digest_matches=is_whole(directory) and dataset_sha256(order.data) == found.parts.fit.sha256,
        onnx_gap=onnx_gap,
        shap_gap=shap_gap,
        golden_failures=golden_failures(found.task.name, lambda rows: served(rows)[:, judged], found.task.judged_names),
        forbidden_columns=forbidden_columns(order.data) if is_exported(order.data) else (),
        latency_ms=milliseconds(lambda: served(X[:1])),
        card_missing=missing_sections((directory / "card.md").read_text(encoding="utf-8")),
        tiers=tier_figures(directory, found.parts.test) if _is_of_survey(found) else {},
    )


def is_whole(directory: Path) -> bool:
    """Whether every file of the artifact is as its manifest says."""
    try:
        open_artifact(directory.parents[1], directory.parent.name, directory.name)
    except ConfigurationError:
        return False
    return True


def dataset_sha256(directory: Path) -> str:
    """SHA-256 of the rows as they lie there now."""
    return rows_sha256(directory) if is_exported(directory) else survey_sha256(directory)


def are_pooled(data: Dataset, params: Mapping[str, Any]) -> bool:
    """Whether the rows come from sources that their inputs tell apart."""
    try:
        refuse_pooled_sources(data, params)
    except ConfigurationError:
        return True
    return False


def tier_figures(directory: Path, test: Dataset) -> dict[str, dict[str, float]]:
    """AUROC and average precision of each tier of a risk model, whatever inputs a row has."""
    predictor: Predictor = load_predictor(directory.parents[1], directory.parent.name, directory.name)
    scored = {name: tier_probabilities(tier, test.X) for name, tier in predictor.tiers.items()}
    return {name: {"auroc": auroc(test.y, p), "average_precision": auprc(test.y, p)} for name, p in scored.items()}


def _is_of_survey(found: Comparison) -> bool:
    return found.task.name == "risk" and found.split == found.params["compare"]["split"]["survey"]


def _state_gap(found: Comparison, X: Matrix) -> float:
    if found.winner.model is None:
        raise ConfigurationError("a state model that was not fitted here cannot be served", where="training")
    return graph_gap(found.winner.model, X)


def _risk_gaps(directory: Path, X: Matrix) -> tuple[float, float]:
    """Largest difference of margins (of tables and graph), and of contributions, from the boosters'."""
    predictor: Predictor = load_predictor(directory.parents[1], directory.parent.name, directory.name)
    margin_gap = contribution_gap = 0.0
    for name, tier in predictor.tiers.items():
        rows = np.ascontiguousarray(X[:, : tier.n_columns])
        booster = xgb.Booster(model_file=directory / f"{name}.ubj")
        expected: Scores = booster.predict(xgb.DMatrix(rows), pred_contribs=True)
        tables = np.array([tier.shap.contributions(row) for row in rows])
        margins = booster.predict(xgb.DMatrix(rows), output_margin=True)
        graph = run_graph((directory / f"{name}.onnx").read_bytes(), rows, "margin")[:, 0]
        margin_gap = max(margin_gap, *(float(np.abs(found - margins).max()) for found in (tier.margins(X), graph)))
        contribution_gap = max(contribution_gap, float(np.abs(tables - expected[:, :-1]).max()))
    return margin_gap, contribution_gap
