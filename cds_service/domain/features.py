"""The model's columns: one vectorised definition for serving, batch and training; one patient is a batch of one.

Reference: docs/reference/features.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, nan
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.complaints import COMPLAINT_RANK
from cds_service.domain.patient import Timed, Value

Column: TypeAlias = NDArray[np.float64]
Columns: TypeAlias = Mapping[str, Column]
Matrix: TypeAlias = NDArray[np.float32]

FEATURES_VERSION = "1"

FEATURES = (
    "age",
    "sex",
    "heart_rate",
    "temperature",
    "systolic_bp",
    "diastolic_bp",
    "respiratory_rate",
    "spo2",
    "arrived_by_ambulance",
    "complaint_group",
    "chronic_count",
)
"""Model columns in the order of the matrix; FHIR, HL7 and the form each fill every one from a named source."""


class Features(Protocol):
    """What of a patient the model's columns are made of: a whole snapshot, or a part of a stored one."""

    @property
    def age_years(self) -> float | None:
        """Age, with a fraction where it is known."""

    @property
    def sex(self) -> str | None:
        """`male`, `female` or None."""

    @property
    def readings(self) -> Mapping[str, Timed]:
        """Vital signs by name."""

    @property
    def beat(self) -> Timed | None:
        """Heart rate or pulse."""

    @property
    def chronic_count(self) -> int | None:
        """Number of chronic conditions."""

    @property
    def complaint_group(self) -> str | None:
        """Group of the complaint."""

    @property
    def arrived_by_ambulance(self) -> bool | None:
        """Whether an ambulance brought the patient."""


_SEX = {"male": 1.0, "female": 0.0}
_VITALS = ("temperature", "systolic_bp", "diastolic_bp", "respiratory_rate", "spo2")


def columns_from_snapshots(snapshots: Sequence[Features]) -> Columns:
    """Columns by name, each of shape (n,), in canonical units; absent is NaN."""
    table = np.array([feature_row(snapshot) for snapshot in snapshots], dtype=np.float64).reshape(-1, len(FEATURES))
    return dict(zip(FEATURES, table.T, strict=True))


def feature_matrix(columns: Columns) -> Matrix:
    """Columns in the order of `FEATURES`, shape (n, n_features), float32; absent is NaN."""
    return np.array([columns[name] for name in FEATURES], dtype=np.float32).T


def matrix_from_snapshots(snapshots: Sequence[Features]) -> Matrix:
    """`feature_matrix(columns_from_snapshots(snapshots))` in one step, for the few patients of one request."""
    return np.array([feature_row(snapshot) for snapshot in snapshots], dtype=np.float32).reshape(-1, len(FEATURES))


def feature_row(snapshot: Features) -> list[float]:
    """The features of one patient; age in completed years, as the training data count it."""
    readings = snapshot.readings
    rate = snapshot.beat
    age, ambulance, chronic = snapshot.age_years, snapshot.arrived_by_ambulance, snapshot.chronic_count
    return [
        nan if age is None else float(floor(age)),
        _SEX.get(snapshot.sex or "", nan),
        nan if rate is None else _number(rate.value),
        *[_number(readings[name].value) if name in readings else nan for name in _VITALS],
        nan if ambulance is None else float(ambulance),
        COMPLAINT_RANK.get(snapshot.complaint_group or "", nan),
        nan if chronic is None else float(chronic),
    ]


def _number(value: Value) -> float:
    return nan if isinstance(value, str) else float(value)
