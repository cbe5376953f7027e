"""Any version of any served task, loaded by name and digest."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from cds_service.domain.decision import VersionId
from cds_service.errors import ConfigurationError
from cds_service.inference.predictor import Predictor, load_predictor
from cds_service.inference.state_model import StatePredictor, load_state_predictor

Model: TypeAlias = Predictor | StatePredictor


def load_model(models_dir: Path, task: str, wanted: VersionId) -> Model:
    """The version with exactly these bytes; ConfigurationError when it is damaged, gone, or another of its name."""
    model: Model
    if task == "risk":
        model = load_predictor(models_dir, task, wanted.version)
    else:
        model = load_state_predictor(models_dir, wanted.version)
    if model.digest != wanted.digest:
        raise ConfigurationError("is not the artifact that was approved", where=str(models_dir / task / wanted.version))
    return model
