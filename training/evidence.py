"""What the gate judges: the rows a challenger was tested on, and facts about its artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.resampling import Flags, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found about an artifact and its data without any statistics.

    `onnx_gap` and `shap_gap` are the largest differences between the trained model and what is served, in log-odds;
    `shap_gap` is None for a model that is not explained by tables. `golden_failures` names made-up patients that were
    ordered wrongly, `forbidden_columns` columns a dataset may not hold, `card_missing` sections the model card lacks.
    `tiers` are AUROC and average precision of each tier of a risk model on the survey's test years, else empty.
    """

    shared_patients: int
    pooled_sources: bool
    digest_matches: bool
    onnx_gap: float
    shap_gap: float | None
    golden_failures: tuple[str, ...]
    forbidden_columns: tuple[str, ...]
    latency_ms: float
    card_missing: tuple[str, ...]
    tiers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Test rows no candidate was fitted or calibrated on: n rows, c classes judged one against the rest.

    `truth`, `challenger`, `champion` and `baseline` have shape (n, c): what was true, and the probability or score
    each model gave. `champion` is None where nothing is in service; `baseline` holds the best of the simple scores.
    `patient` and `weight` have shape (n,), as has each array of `groups` (by sex, age band, site).
    `champion_auroc` is, by class, what the model in service was approved with.
    """

    task: str
    judged: tuple[str, ...]
    truth: Flags
    challenger: Floats
    champion: Floats | None
    baseline: Floats | None
    patient: NDArray[np.int64]
    weight: Floats
    facts: Facts
    groups: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    champion_auroc: Mapping[str, float] = field(default_factory=dict)
