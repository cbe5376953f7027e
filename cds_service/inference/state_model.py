"""The five-state model in service: one verified artifact, its calibration, and the conformal set of each patient."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.features import FEATURES, FEATURES_VERSION, Matrix, matrix_from_snapshots
from cds_service.domain.label import CATEGORIES
from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.prediction import StateEstimate
from cds_service.errors import ConfigurationError, Unavailable
from cds_service.inference.artifact import Artifact, open_artifact
from cds_service.inference.predictor import ADULT_YEARS, GOLDEN_TOLERANCE
from cds_service.inference.session import open_session, run_session

TASK = "state"
_VITALS = slice(2, 8)


class StatePredictor:
    """Gives each state its probability with one version of the model."""

    def __init__(self, artifact: Artifact) -> None:
        _require_same_form(artifact)
        self.version: str = artifact.manifest["version"]
        self.digest: str = artifact.manifest["digest"]
        self.synthetic: bool = artifact.manifest["synthetic"]
        self.card_path: Path = artifact.directory / "card.md"
        calibration, conformal = artifact.json("calibration.json"), artifact.json("conformal.json")
        self._temperature = float(calibration["temperature"])
        self._bias = np.array(calibration["bias"], dtype=np.float64)
        self._thresholds = np.array([conformal["thresholds"][name] for name in CATEGORIES], dtype=np.float64)
        self.coverage = 1.0 - float(conformal["alpha"])
        self._session = open_session(artifact, "model.onnx", len(FEATURES))
        self._check(artifact)

    def estimate(self, snapshot: PatientSnapshot) -> StateEstimate | None:
        """The states of an adult with any vital sign, None of anybody else; Unavailable when the model fails."""
        if snapshot.age_years is None or snapshot.age_years < ADULT_YEARS:
            return None
        matrix = matrix_from_snapshots((snapshot,))
        if all(map(isnan, matrix[0, _VITALS].tolist())):
            return None
        probabilities = self.score(matrix)[0]
        if not np.isfinite(probabilities).all():
            raise Unavailable("the state model gave no number", where="model")
        likely = zip(CATEGORIES, probabilities >= self._thresholds, strict=True)
        return StateEstimate(
            version=self.version,
            probabilities=dict(zip(CATEGORIES, probabilities.tolist(), strict=True)),
            likely=tuple(name for name, is_likely in likely if is_likely),
            coverage=self.coverage,
            synthetic=self.synthetic,
        )

    def score(self, matrix: Matrix) -> NDArray[np.float64]:
        """Calibrated probabilities of the rows of a feature matrix, shape (n, 5) in the order of CATEGORIES."""
        logits = self._margins(matrix).astype(np.float64) / self._temperature + self._bias
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        found: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
        return found

    def _margins(self, matrix: Matrix) -> NDArray[np.float32]:
        return run_session(self._session, "margins", matrix)

    def _check(self, artifact: Artifact) -> None:
        """Refuse calibration of another shape, and an artifact that does not give the margins it was published with."""
        numbers = np.array([self._temperature, *self._bias, *self._thresholds, self.coverage])
        is_usable = self._bias.shape == (len(CATEGORIES),) and np.isfinite(numbers).all() and self._temperature > 0
        if not is_usable:
            raise ConfigurationError("its calibration is not of five states", where=str(artifact.directory))
        golden = artifact.json("golden.json")
        found = self._margins(np.array(golden["rows"], dtype=np.float32))
        if not np.allclose(found, golden["margins"], rtol=0, atol=GOLDEN_TOLERANCE):
            raise ConfigurationError("does not give its golden margins", where=str(artifact.directory))


def load_state_predictor(models_dir: Path, version: str) -> StatePredictor:
    """The predictor of a published version; ConfigurationError when anything in it is wrong."""
    artifact = open_artifact(models_dir, TASK, version)
    try:
        return StatePredictor(artifact)
    except (KeyError, TypeError, ValueError, IndexError, Unavailable) as problem:
        raise ConfigurationError(
            f"does not hold what a {TASK} model must: {problem}", where=str(artifact.directory)
        ) from problem


def _require_same_form(artifact: Artifact) -> None:
    manifest = artifact.manifest
    ours = (FEATURES_VERSION, list(FEATURES), list(CATEGORIES))
    if (manifest["features_version"], manifest["features"], manifest["classes"]) != ours:
        raise ConfigurationError(
            "was trained on other features or states than this service knows", where=str(artifact.directory)
        )
