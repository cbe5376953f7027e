"""One patient's log-odds and their exact path-dependent TreeSHAP, from tables: compare, pack bits, look up, add.

A tree of depth 4 or less is cut into units of at most eight splits; the eight answers are one byte, and the table
holds, for every byte, what the unit's leaves contribute to each column (docs/decisions/shap-tables.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNIT_SPLITS = 8
"""Splits in one unit: as many as one byte has bits."""


@dataclass(frozen=True, slots=True)
class ShapTable:
    """The tables of one tree ensemble over `n_columns` inputs.

    `slots` (n_units * 8,) index the vector [x, -x]; a split's bit is 1 where that entry is at or over `limits`
    (NaN gives 0). `offsets` (n_units,) is where a unit's rows start in `rows` (n_rows, n_columns), `bias` the margin
    of the average training visit.
    """

    slots: NDArray[np.intp]
    limits: NDArray[np.float32]
    offsets: NDArray[np.intp]
    rows: NDArray[np.float32]
    bias: float

    def contributions(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-odds each column of one patient adds to the bias, shape (n_columns,)."""
        both = np.concatenate((x, -x))
        bits = both[self.slots] >= self.limits  # half of what take() needs
        rows = np.packbits(bits, bitorder="little") + self.offsets
        # einsum adds such a narrow table in less than half the time of sum
        total: NDArray[np.float32] = np.einsum("ij->j", self.rows.take(rows, axis=0))
        return total

    def margin(self, contributions: NDArray[np.float32]) -> float:
        """The model's log-odds: what the columns add, and the bias (SHAP's local accuracy)."""
        return float(contributions.sum()) + self.bias


def shap_table_from_arrays(arrays: Mapping[str, NDArray[np.generic]], tier: str) -> ShapTable:
    """The table of one tier from the arrays of `shap.npz`."""
    return ShapTable(
        slots=arrays[f"{tier}.slots"].astype(np.intp),
        limits=arrays[f"{tier}.limits"].astype(np.float32),
        offsets=arrays[f"{tier}.offsets"].astype(np.intp),
        rows=arrays[f"{tier}.rows"].astype(np.float32),
        bias=float(arrays[f"{tier}.bias"].item()),
    )
