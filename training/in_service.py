"""The model in service, as a contender: as it is, and recalibrated on the new rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cds_service.domain.features import Matrix
from cds_service.inference.artifact import Artifact, open_artifact
from cds_service.inference.predictor import Predictor
from training.conformal import thresholds
from training.contest import Contender
from training.dataset import Dataset
from training.graph import run_graph
from training.partition import Parts
from training.scores import Calibration, Scores, log_probabilities
from training.task import Task

IN_SERVICE, RECALIBRATED = "in service", "in service, recalibrated"
_UNCHANGED = Calibration(1.0, (0.0,))


@dataclass(frozen=True, slots=True)
class Champion:
    """A published version that answers for the task now: its log-probabilities, and AUROC by class as approved."""

    artifact: Artifact
    margins: Callable[[Matrix], Scores]
    approved_auroc: Mapping[str, float]

    @property
    def version(self) -> str:
        """Its version."""
        return str(self.artifact.manifest["version"])


def read_champion(directory: Path, task: Task) -> Champion:
    """The verified version in a directory `models/TASK/VERSION`."""
    artifact = open_artifact(directory.parents[1], task.name, directory.name)
    margins = _risk_margins(artifact) if task.name == "risk" else _state_margins(artifact)
    return Champion(artifact, margins, _approved(artifact.json("evaluation.json"), task))


def new_to(champion: Champion, rows: Dataset) -> Dataset:
    """The rows the champion itself answered as they came: it was there before them and never learned them."""
    return rows.rows(rows.answered_by == champion.version)


def as_it_is(champion: Champion, parts: Parts, params: Mapping[str, Any]) -> Contender:
    """The model in service without a change."""
    p = np.exp(champion.margins(parts.conformal.X))
    limits = thresholds(p, parts.conformal.y, params["alpha"])
    return Contender(IN_SERVICE, champion.margins, _UNCHANGED, limits, np.exp(champion.margins(parts.test.X)))


def _risk_margins(artifact: Artifact) -> Callable[[Matrix], Scores]:
    predictor = Predictor(artifact)

    def margins(X: Matrix) -> Scores:
        p = predictor.score(X)
        return log_probabilities(np.column_stack([1 - p, p]))

    return margins


def _state_margins(artifact: Artifact) -> Callable[[Matrix], Scores]:
    stored = artifact.json("calibration.json")
    calibration = Calibration(stored["temperature"], tuple(stored["bias"]))
    graph = artifact.files["model.onnx"]
    return lambda X: log_probabilities(calibration.probabilities(run_graph(graph, X)))


def _approved(evaluation: Mapping[str, Any], task: Task) -> dict[str, float]:
    """AUROC by judged class in the champion's own evaluation; the first risk model tells it by tier."""
    if "leaderboard" not in evaluation:
        return {task.judged_names[0]: evaluation["tiers"]["full"]["test"]["auroc"]["value"]}
    line = next(line for line in evaluation["leaderboard"] if line["family"] == evaluation["winner"])
    return {name: line["classes"][name]["auroc"]["value"] for name in task.judged_names}
