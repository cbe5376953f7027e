"""The groups a clinician would ask for, row by row."""

from __future__ import annotations

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
