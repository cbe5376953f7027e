"""How alike patients are by the model's inputs, and how strange one is to what the model was trained on.

Both measure in the spread of the training data: the width of the middle four fifths of its patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.features import FEATURES

# These are alike or not: there is no way between two complaints.
_KINDS = frozenset({"sex", "arrived_by_ambulance", "complaint_group"})
_IS_KIND = np.array([name in _KINDS for name in FEATURES])
# From which distance on two patients are called so; chosen by us: 0 is the same, 1 as far apart as can be.
_WORDS = ((0.08, "very-alike"), (0.16, "alike"), (0.30, "somewhat-alike"), (float("inf"), "little-alike"))
# An input known of one patient only: as far apart as half a spread. Chosen by us.
_UNKNOWN = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """The middle four fifths of each input in the training data, `low` to `high`, in the order of FEATURES."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def width(self) -> NDArray[np.float64]:
        """From `low` to `high`; 1 where an input does not vary."""
        width = self.high - self.low
        return np.where(width > 0, width, 1.0)


def spread_from_histograms(histograms: Mapping[str, Any]) -> Spread:
    """The spread of a model's reference histograms (`reference.json`), whose inner edges are deciles."""
    edges = [histograms[name]["edges"] or [0.0] for name in FEATURES]
    return Spread(np.array([inner[0] for inner in edges], float), np.array([inner[-1] for inner in edges], float))


def novelty(matrix: NDArray[Any], spread: Spread) -> NDArray[np.float64]:
    """How far the known inputs of each row lie outside the middle of the training data, in spreads, summed; 0 inside.

    Shape (n,). What is no quantity, and what is not known, adds nothing.
    """
    beyond = np.maximum(spread.low - matrix, matrix - spread.high) / spread.width
    found: NDArray[np.float64] = np.nansum(np.where(_IS_KIND, 0.0, np.maximum(beyond, 0.0)), axis=1)
    return found


def apart(row: NDArray[Any], matrix: NDArray[Any], spread: Spread) -> NDArray[np.float64]:
    """How far each input of each row of `matrix` is from this patient's, 0 to 1, shape (n, n_features).

    NaN where neither is known.
    """
    by_size = np.minimum(np.abs(matrix - row) / spread.width, 1.0)
    by_kind = np.where(np.isnan(matrix) | np.isnan(row), np.nan, (matrix != row).astype(float))
    found = np.where(_IS_KIND, by_kind, by_size)
    one_unknown = np.isnan(matrix) != np.isnan(row)
    return np.where(one_unknown, _UNKNOWN, found)


def distances(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over what is known of either, shape (n,); 1 where nothing is known of both."""
    known = ~np.isnan(parts)
    total = np.where(known, parts, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), 1.0)


def most_different(parts: NDArray[np.float64], *, most: int = 2) -> tuple[str, ...]:
    """The inputs in which a row differs most from this patient, largest first; none that differs little."""
    order = sorted(range(len(FEATURES)), key=lambda index: -np.nan_to_num(parts[index]))
    return tuple(FEATURES[index] for index in order[:most] if np.nan_to_num(parts[index]) >= _UNKNOWN)


def likeness(distance: float) -> str:
    """The distance as a word."""
    return next(word for limit, word in _WORDS if distance < limit)


def age_band(age_years: float | None) -> tuple[int, int | None] | None:
    """The ten years an age lies in, 90 and more as one (45 CFR 164.514(b)(2)(i)(C)); None where it is not known."""
    if age_years is None:
        return None
    first = min(int(age_years) // 10 * 10, 90)
    return first, None if first == 90 else first + 9


def nearest(found: Sequence[float], *, most: int) -> list[int]:
    """The places of the smallest distances, nearest first; equal ones as they come."""
    return sorted(range(len(found)), key=lambda place: found[place])[:most]
