"""The groups a clinician would ask for, row by row, and how far labels may lean on the card."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.features import FEATURES
from training.dataset import Dataset

# Race and ethnicity are in none of the data.
_AGE_BANDS = (45, 65)
_AGE_NAMES = np.array(["18-44", "45-64", "65 and over"])


def groups_of(data: Dataset) -> dict[str, NDArray[np.str_]]:
    """By group the value of each row: sex, age band, and where they differ, site and whether the card was shown."""
    sex, age = (data.X[:, FEATURES.index(name)] for name in ("sex", "age"))
    groups = {
        "sex": np.where(np.isnan(sex), "unknown", np.where(sex == 1, "men", "women")),
        "age": np.where(np.isnan(age), "unknown", _AGE_NAMES[np.searchsorted(_AGE_BANDS, age, side="right") % 3]),
    }
    if len(np.unique(data.site)) > 1:
        groups["site"] = np.array([f"site {number + 1}" for number in data.site])
    if len(np.unique(data.shown)) > 1:
        groups["card"] = np.where(data.shown, "shown", "not shown")
    return groups


def bias_record(data: Dataset) -> dict[str, Any]:
    """By who had seen the card: rows, the share that agrees with it, and what they weigh; and who was held out."""
    sight = np.where(~data.shown, "not shown", np.where(data.saw == "yes", "seen", "not known"))
    sight[data.shown & (data.saw == "no")] = "not seen"
    return {
        "sight": {str(name): _leaning(data.rows(sight == name)) for name in np.unique(sight)},
        "holdout": {"rows": int(data.holdout.sum()), "patients": len(np.unique(data.patient[data.holdout]))},
    }


def _leaning(data: Dataset) -> dict[str, Any]:
    known = ~np.isnan(data.agreed)
    return {
        "rows": len(data.y),
        "agreed": round(float(data.agreed[known].mean()), 6) if known.any() else None,
        "weight": {
            "mean": round(float(data.weight.mean()), 6),
            "low": round(float(data.weight.min()), 6),
            "high": round(float(data.weight.max()), 6),
        },
    }
