"""Brings what a comparison found before the gate."""

from __future__ import annotations

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
from training.dataset import Dataset
from training.evidence import Evidence, Facts
from training.gate import judge, read_bounds
from training.golden_cases import golden_failures
from training.groups import groups_of
from training.partition import shared_patients
from training.scores import Scores
from training.simple_scores import SIMPLE_SCORES
from training.state import graph_gap, run_graph
from training.timing import milliseconds

_GAP_ROWS = 500


def verdict_of(order: Order, found: Comparison, directory: Path) -> dict[str, Any]:
    """The gate's word on the artifact written in `directory`."""
    bounds = read_bounds()
    artifact = open_artifact(directory.parents[1], found.task.name, directory.name)
    about = {
        "version": order.out.name,
        "manifest_digest": artifact.manifest["digest"],
        "dataset_sha256": found.parts.fit.sha256,
        "trainer": order.trainer,
        "at": order.at,
        "synthetic": found.parts.test.synthetic,
    }
    return judge(_evidence(found, directory, least=bounds["evidence"][found.task.name]), bounds, about)


def _evidence(found: Comparison, directory: Path, *, least: int) -> Evidence:
    """The test rows; and for states, where a class has too few among them, the fitting rows as left out of folds."""
    judged = list(found.task.judged)
    challenger = _served_probabilities(found, directory)
    rows, p = found.parts.test, challenger(found.parts.test.X)
    if found.task.name == "state" and found.winner.left_out is not None and _fewest(found, rows) < least:
        p = np.vstack([p, found.winner.left_out])
        rows = rows.joined(found.parts.fit)
    baseline = max((c for c in found.contenders if c.name in SIMPLE_SCORES), key=lambda c: float(np.mean(c.nested)))
    return Evidence(
        task=found.task.name,
        judged=found.task.judged_names,
        truth=rows.y[:, None] == np.array(judged),
        challenger=p[:, judged],
        champion=np.exp(found.champion.margins(rows.X))[:, judged] if found.champion else None,
        baseline=baseline.calibration.probabilities(baseline.margins(rows.X))[:, judged],
        patient=rows.patient,
        weight=rows.weight,
        facts=_facts(found, directory),
        groups=groups_of(rows),
        champion_auroc=found.champion.approved_auroc if found.champion else {},
    )


def _served_probabilities(found: Comparison, directory: Path) -> Any:
    """How the written artifact itself answers, for rows of inputs."""
    if found.task.name == "risk":
        predictor = load_predictor(directory.parents[1], directory.parent.name, directory.name)
        return lambda X: np.column_stack([1 - (p := predictor.score(X)), p])
    graph = (directory / "model.onnx").read_bytes()
    return lambda X: found.winner.calibration.probabilities(run_graph(graph, X))


def _fewest(found: Comparison, rows: Dataset) -> int:
    return min(len(np.unique(rows.patient[rows.y == k])) for k in found.task.judged)


def _facts(found: Comparison, directory: Path) -> Facts:
    X = found.parts.test.X[:_GAP_ROWS]
    served = _served_probabilities(found, directory)
    onnx_gap, shap_gap = _risk_gaps(directory, X) if found.task.name == "risk" else (_state_gap(found, X), None)
    judged = list(found.task.judged)
    return Facts(
        shared_patients=shared_patients(found.parts),
        pooled_sources=False,  # refused before anything is fitted
        digest_matches=True,  # open_artifact refuses otherwise
        onnx_gap=onnx_gap,
        shap_gap=shap_gap,
        golden_failures=golden_failures(found.task.name, lambda rows: served(rows)[:, judged], found.task.judged_names),
        forbidden_columns=(),  # refused when the dataset is read
        latency_ms=milliseconds(lambda: served(X[:1])),
        card_missing=missing_sections((directory / "card.md").read_text(encoding="utf-8")),
    )


def _state_gap(found: Comparison, X: Matrix) -> float:
    if found.winner.model is None:
        raise ConfigurationError("a state model that was not fitted here cannot be served", where="training")
    return graph_gap(found.winner.model, X)


def _risk_gaps(directory: Path, X: Matrix) -> tuple[float, float]:
    """Largest difference of margins, and of contributions, between the boosters and what is served."""
    predictor: Predictor = load_predictor(directory.parents[1], directory.parent.name, directory.name)
    margin_gap = contribution_gap = 0.0
    for name, tier in predictor.tiers.items():
        rows = np.ascontiguousarray(X[:, : tier.n_columns])
        booster = xgb.Booster(model_file=directory / f"{name}.ubj")
        expected: Scores = booster.predict(xgb.DMatrix(rows), pred_contribs=True)
        tables = np.array([tier.shap.contributions(row) for row in rows])
        margins = booster.predict(xgb.DMatrix(rows), output_margin=True)
        margin_gap = max(margin_gap, float(np.abs(tier.margins(X) - margins).max()))
        contribution_gap = max(contribution_gap, float(np.abs(tables - expected[:, :-1]).max()))
    return margin_gap, contribution_gap
