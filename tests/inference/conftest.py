"""Shared by the tests of the risk model: the shipped artifact, snapshots, made-up rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from cds_service.domain.features import FEATURES, Matrix
from cds_service.domain.patient import Identity, PatientSnapshot, Reading
from cds_service.inference.predictor import Predictor, load_predictor

MODELS = Path(__file__).parents[2] / "models"
NOW = datetime(2026, 3, 14, 8, 40, tzinfo=timezone(timedelta(hours=2)))
LOW = (18, 0, 30, 33, 60, 30, 6, 70, 0, 0, 0)
HIGH = (95, 1, 190, 41, 230, 130, 45, 100, 1, 70, 9)

SnapshotBuilder = Callable[..., PatientSnapshot]


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    return load_predictor(MODELS)


@pytest.fixture(scope="session")
def rows() -> Matrix:
    """2,000 made-up rows, a quarter of the inputs missing."""
    rng = np.random.default_rng(3)
    matrix = np.floor(rng.uniform(LOW, np.array(HIGH) + 1, size=(2000, len(FEATURES)))).astype(np.float32)
    matrix[rng.random(matrix.shape) < 0.25] = np.nan
    matrix[:, 0] = np.where(np.isnan(matrix[:, 0]), 50, matrix[:, 0])
    return matrix


@pytest.fixture
def a_snapshot() -> SnapshotBuilder:
    """A healthy adult in the emergency department but for what is given; a vital given as None is absent."""

    def build(**changes: object) -> PatientSnapshot:
        vitals = {
            "heart_rate": 76.0,
            "temperature": 36.8,
            "systolic_bp": 124.0,
            "diastolic_bp": 78.0,
            "respiratory_rate": 16.0,
            "spo2": 98.0,
        }
        vitals |= {name: changes.pop(name) for name in (*vitals, "pulse_rate") if name in changes}
        readings = {
            name: Reading(name, value, NOW, "test", str(value)) for name, value in vitals.items() if value is not None
        }
        record = {"age_years": 40.7, "sex": "female", "encounter_class": "EMER"} | changes
        return PatientSnapshot(at=NOW, identity=Identity("p"), readings=readings, **record)

    return build


@pytest.fixture
def models_copy(tmp_path: Path) -> Path:
    """A copy of the published artifacts that a test may damage."""
    return Path(shutil.copytree(MODELS, tmp_path / "models"))
