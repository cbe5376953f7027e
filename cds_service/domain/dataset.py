"""What a dataset of labelled predictions is: its files, columns and tasks, named once for writing and for training.

Reference: docs/reference/datasets.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from cds_service.domain import decision
from cds_service.domain.features import FEATURES
from cds_service.domain.label import CATEGORIES

FORMAT = 1
ROWS_FILE, MANIFEST_FILE = "rows.parquet", "manifest.json"

# The fact of a label each task learns, and how its classes are spelled in the manifest.
TASKS = MappingProxyType(dict(zip(decision.TASKS, ("icu_admission", "category"), strict=True)))
CLASSES = MappingProxyType({"risk": ("no", "yes"), "state": CATEGORIES})

# Who is believed where several labels hold: docs/reference/datasets.md#policies.
POLICIES = ("latest", "majority", "senior", "adjudicate")

# Column -> type, in the order of the file; rows are sorted by `row`.
COLUMNS = MappingProxyType(
    {
        "row": "text",
        "patient": "text",
        "order": "int32",
        "year": "int16",
        **dict.fromkeys(FEATURES, "float32"),
        "category": "text",
        "icu_admission": "bool",
        "code_system": "text",
        "code": "text",
        "saw_prediction": "text",
        "shown": "bool",
        "agreed": "bool",
        "probability": "float32",
        "model_version": "text",
        "holdout": "bool",
        "weight": "float32",
        "site": "text",
        "source": "text",
        "synthetic": "bool",
    }
)

# 45 CFR 164.514(b)(2)(i)(C): ages over 89 are one group, "90 or older".
OLDEST_AGE = 90.0


@dataclass(frozen=True, slots=True)
class DatasetRules:
    """What a site decides of its datasets (docs/reference/datasets.md#rules).

    `columns` may be written, no other. `maturity_days` by class is how long after the prediction a label counts.
    `holdout_share` of the patients is kept from training. No row weighs over `weight_cap`.
    """

    columns: frozenset[str]
    maturity_days: Mapping[str, int]
    holdout_share: float
    weight_cap: float


class Contents(NamedTuple):
    """What a dataset needs of a stored assessment: its features in order, recorded codes, and what the card said."""

    features: list[float]
    conditions: list[tuple[str, str]]
    probability: float | None
    band: str | None
    risk_omitted: str | None
    states: list[str]


def class_of(fact: object) -> str:
    """How a class is spelled in the manifest: a state as it is, an outcome as yes or no."""
    return fact if isinstance(fact, str) else ("no", "yes")[bool(fact)]
