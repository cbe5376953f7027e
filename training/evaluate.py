"""Evaluates a written artifact as it will be served: by tier, by year, by subgroup, and with inputs missing."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.features import FEATURES, Matrix
from cds_service.domain.policy import AssessmentPolicy
from cds_service.inference.predictor import Predictor
from cds_service.inference.tiers import TIERS, Tier
from training.dataset import Dataset
from training.metrics import auprc, auroc, expected_over_observed, logit, with_intervals, workload
from training.split import Split

# Subgroups a clinician would ask for and the data hold; race, ethnicity and site are not in the data.
_AGE_BANDS = {"18-44": (18, 45), "45-64": (45, 65), "65 and over": (65, 200)}
_CONTEXT = FEATURES[8:]
_LOST_SHARES = (0.1, 0.2, 0.3, 0.5)


def evaluate(predictor: Predictor, split: Split, params: Mapping[str, Any]) -> dict[str, Any]:
    """Everything `evaluation.json` says; the test rows are of years that neither fitting nor calibration saw."""
    test = split.test
    scores = {name: tier_probabilities(tier, test.X) for name, tier in predictor.tiers.items()}
    return {
        "rows": {name: _counts(part) for name, part in (("fit", split.fit), ("calibration", split.calibration))}
        | {"test": _counts(test), "test_by_year": {str(year): _counts(_of_year(test, year)) for year in _years(test)}},
        "tiers": {name: _tier(test, p, split, params) for name, p in scores.items()},
        "bands": {name: _bands(test, p) for name, p in scores.items()},
        "subgroups": _subgroups(test, scores["full"]),
        "missing": _with_lost_inputs(predictor, test, seed=params["seed"]),
        "context_known": _by_known_context(predictor, test),
    }


def tier_probabilities(tier: Tier, X: Matrix) -> NDArray[np.float64]:
    """Calibrated probabilities of every row by one tier, whatever inputs are known."""
    return 1.0 / (1.0 + np.exp(-(tier.slope * tier.margins(X) + tier.intercept)))


def _tier(test: Dataset, p: NDArray[np.float64], split: Split, params: Mapping[str, Any]) -> dict[str, Any]:
    options = {"resamples": params["resamples"], "seed": params["seed"]}
    by_year = {}
    for year in _years(test):
        rows = test.year == year
        y, predicted = test.y[rows], p[rows]
        shifted = shifted_to_prevalence(predicted, before=float(split.calibration.y.mean()), after=float(y.mean()))
        by_year[str(year)] = with_intervals(y, predicted, **options) | {
            "expected_over_observed_after_prior_shift": expected_over_observed(y, shifted)
        }
    return {"test": with_intervals(test.y, p, **options), "by_year": by_year}


def shifted_to_prevalence(p: NDArray[np.float64], *, before: float, after: float) -> NDArray[np.float64]:
    """Probabilities for a population of another prevalence whose patients otherwise look alike (Saerens 2002)."""
    offset = logit(np.array(after)) - logit(np.array(before))
    return 1.0 / (1.0 + np.exp(-(logit(p) + offset)))


def _bands(test: Dataset, p: NDArray[np.float64]) -> dict[str, Any]:
    policy = AssessmentPolicy()
    return {
        band: {
            "2019-2020": workload(test.y, p, threshold),
            **{str(year): workload(*_year_scores(test, p, year), threshold) for year in _years(test)},
        }
        for band, threshold in (("moderate", policy.moderate), ("high", policy.high))
    }


def _subgroups(test: Dataset, p: NDArray[np.float64]) -> dict[str, Any]:
    age, sex = test.X[:, FEATURES.index("age")], test.X[:, FEATURES.index("sex")]
    groups = {"women": sex == 0, "men": sex == 1}
    groups |= {name: (age >= low) & (age < high) for name, (low, high) in _AGE_BANDS.items()}
    high = AssessmentPolicy().high
    return {
        name: _summary(test.y[rows], p[rows]) | {"high": workload(test.y[rows], p[rows], high)}
        for name, rows in groups.items()
    }


def _with_lost_inputs(predictor: Predictor, test: Dataset, *, seed: int) -> dict[str, Any]:
    """The shipped choice of tiers when each input but age and sex is lost at random."""
    results = {}
    for share in _LOST_SHARES:
        lost = np.random.default_rng(seed).random(test.X.shape) < share
        lost[:, :2] = False
        results[f"{share:.0%}"] = _summary(test.y, predictor.score(np.where(lost, np.float32(np.nan), test.X)))
    return results


def _by_known_context(predictor: Predictor, test: Dataset) -> dict[str, Any]:
    """The full tier against the eight vitals, for every set of context inputs that makes the full tier answer."""
    results = {}
    for size in range(1, len(_CONTEXT) + 1):
        for known in combinations(_CONTEXT, size):
            X = test.X.copy()
            X[:, [FEATURES.index(name) for name in _CONTEXT if name not in known]] = np.nan
            results[" + ".join(known)] = _summary(test.y, tier_probabilities(predictor.tiers["full"], X))
    return results | {"none": _summary(test.y, tier_probabilities(predictor.tiers["vitals-8"], test.X))}


def _summary(y: NDArray[np.int8], p: NDArray[np.float64]) -> dict[str, float]:
    return {"auroc": auroc(y, p), "auprc": auprc(y, p), "expected_over_observed": expected_over_observed(y, p)}


def reference_histograms(split: Split, predictor: Predictor) -> dict[str, Any]:
    """Deciles, counts and missing share of each input, and of each tier's probability, in the fitting rows."""
    X = split.fit.X
    columns = {name: X[:, index].astype(np.float64) for index, name in enumerate(FEATURES)}
    columns |= {f"probability.{name}": tier_probabilities(predictor.tiers[name], X) for name in TIERS}
    return {name: histogram(column) for name, column in columns.items()}


def histogram(column: NDArray[np.float64]) -> dict[str, Any]:
    """Deciles, counts between them, and the missing share of one column; no deciles where nothing is known."""
    known = column[~np.isnan(column)]
    edges = np.unique(np.quantile(known, np.linspace(0.1, 0.9, 9))) if len(known) else known
    counts = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)
    return {
        "edges": edges.round(6).tolist(),
        "counts": counts.tolist(),
        "missing_share": round(float(1 - len(known) / len(column)), 6),
    }


def _years(data: Dataset) -> list[int]:
    return [int(year) for year in np.unique(data.year)]


def _of_year(data: Dataset, year: int) -> Dataset:
    return data.rows(data.year == year)


def _year_scores(data: Dataset, p: NDArray[np.float64], year: int) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    rows = data.year == year
    return data.y[rows], p[rows]


def _counts(data: Dataset) -> dict[str, float]:
    return {"visits": len(data.y), "admitted": int(data.y.sum()), "prevalence": float(data.y.mean())}
