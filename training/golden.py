"""Made-up rows that every start of the service is checked against; no patient's."""

from __future__ import annotations

import numpy as np

from cds_service.domain.complaints import COMPLAINT_GROUPS
from cds_service.domain.features import FEATURES, Matrix

GOLDEN_ROWS = 24
# Made-up rows that every start is checked against: drawn evenly between these bounds, a third of the inputs missing.
_GOLDEN_BOUNDS = {
    "age": (18, 95),
    "sex": (0, 2),
    "heart_rate": (30, 190),
    "temperature": (33, 41),
    "systolic_bp": (60, 230),
    "diastolic_bp": (30, 130),
    "respiratory_rate": (6, 45),
    "spo2": (70, 101),
    "arrived_by_ambulance": (0, 2),
    "complaint_group": (0, len(COMPLAINT_GROUPS)),
    "chronic_count": (0, 9),
}


def golden_rows(seed: int) -> Matrix:
    """Made-up rows within the bounds above; no patient's."""
    rng = np.random.default_rng(seed)
    low, high = np.array([_GOLDEN_BOUNDS[name] for name in FEATURES]).T
    rows = np.floor(rng.uniform(low, high, size=(GOLDEN_ROWS, len(FEATURES)))).astype(np.float32)
    rows[rng.random(rows.shape) < 1 / 3] = np.nan
    return rows


def as_lists(rows: Matrix) -> list[list[float | None]]:
    """Rows for JSON, null for missing."""
    return [[None if np.isnan(value) else float(value) for value in row] for row in rows]
