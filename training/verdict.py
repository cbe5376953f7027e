"""Brings what a comparison found before the gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from cds_service.inference.predictor import load_predictor
from training.comparison import Comparison, Order
from training.dataset import Dataset
from training.evidence import Evidence
from training.facts import facts_of
from training.gate import judge, read_bounds
from training.graph import run_graph
from training.groups import groups_of
from training.simple_scores import SIMPLE_SCORES


def verdict_of(order: Order, found: Comparison, directory: Path) -> dict[str, Any]:
    """The gate's word on the artifact written in `directory`."""
    bounds = read_bounds()
    about = {
        "version": order.out.name,
        "manifest_digest": json.loads((directory / "manifest.json").read_bytes())["digest"],
        "dataset_sha256": found.parts.fit.sha256,
        "trainer": order.trainer,
        "at": order.at,
        "synthetic": found.parts.test.synthetic,
    }
    return judge(_evidence(order, found, directory, least=bounds["evidence"][found.task.name]), bounds, about)


def _evidence(order: Order, found: Comparison, directory: Path, *, least: int) -> Evidence:
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
        facts=facts_of(order, found, directory, challenger),
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
