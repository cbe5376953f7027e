"""Who fits, who calibrates and who tests: years apart, and calibration rows never fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Split:
    """Three disjoint parts of the data."""

    fit: Dataset
    calibration: Dataset
    test: Dataset


def split_by_year(data: Dataset, params: dict[str, Any]) -> Split:
    """Fit and calibration rows up to `last_year`, a seeded share of `calibration_year` for calibration; test after."""
    draws = np.random.default_rng(params["seed"]).random(len(data.y))
    calibrates = (data.year == params["calibration_year"]) & (draws < params["calibration_share"])
    early = (data.year >= params["first_year"]) & (data.year <= params["last_year"])
    return Split(data.rows(early & ~calibrates), data.rows(calibrates), data.rows(data.year > params["last_year"]))
