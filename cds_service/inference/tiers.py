"""The three models of an artifact, one for each set of inputs, and the rule that chooses between them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.features import FEATURES, Matrix
from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import Artifact
from cds_service.inference.explain import ShapTable, shap_table_from_arrays

# A tier answers when any input that only it has is known; the last answers always (docs/decisions/tiers-of-inputs.md).
TIERS: Mapping[str, tuple[str, ...]] = {
    "full": FEATURES,
    "vitals-8": FEATURES[:8],
    "vitals-6": FEATURES[:6],
}


@dataclass(frozen=True, slots=True)
class Tier:
    """One model: its columns, table of contributions and calibration (slope and intercept on the margin)."""

    name: str
    n_columns: int
    shap: ShapTable
    slope: float
    intercept: float

    def margins(self, matrix: Matrix) -> NDArray[np.float64]:
        """Raw log-odds of each row, shape (n,)."""
        rows = matrix[:, : self.n_columns]
        return np.array([self.shap.margin(self.shap.contributions(row)) for row in rows], dtype=np.float64)


def tier_of_rows(matrix: Matrix) -> NDArray[np.str_]:
    """The tier each row is scored by, shape (n,)."""
    known = ~np.isnan(matrix)
    return np.where(known[:, 8:].any(axis=1), "full", np.where(known[:, 6:8].any(axis=1), "vitals-8", "vitals-6"))


def tier_of_row(row: list[float]) -> str:
    """The tier one row is scored by; the same rule, for a list of Python floats."""
    if not all(map(isnan, row[8:])):
        return "full"
    return "vitals-6" if isnan(row[6]) and isnan(row[7]) else "vitals-8"


def load_tiers(artifact: Artifact) -> Mapping[str, Tier]:
    """The three tiers of a verified artifact."""
    calibration = artifact.json("calibration.json")
    arrays = _arrays(artifact)
    return {
        name: Tier(
            name=name,
            n_columns=len(columns),
            shap=shap_table_from_arrays(arrays, name),
            slope=float(calibration[name]["slope"]),
            intercept=float(calibration[name]["intercept"]),
        )
        for name, columns in TIERS.items()
    }


def _arrays(artifact: Artifact) -> Mapping[str, NDArray[Any]]:
    """The arrays of `shap.npz`; objects (pickles) are never loaded."""
    try:
        with np.load(io.BytesIO(artifact.files["shap.npz"]), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as problem:
        raise ConfigurationError("is not a plain array archive", where=f"{artifact.directory}/shap.npz") from problem
