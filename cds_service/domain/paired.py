"""Two models on the same patients: how well each does, and how sure the difference is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Score = Callable[[Floats, Flags], float]

# Chosen by us: the ends of an interval then move by some hundredths of its width between seeds.
DRAWS, SEED = 500, 20261121


class Paired(NamedTuple):
    """A figure of each model, and the 95 % interval of the second's less the first's; NaN where it has no value."""

    champion: float
    challenger: float
    low: float
    high: float


def brier(probabilities: Floats, truth: Flags) -> float:
    """Mean squared error of probabilities; lower is better."""
    return float(np.mean((probabilities - truth) ** 2)) if len(truth) else float("nan")


def auroc(scores: Floats, truth: Flags) -> float:
    """Probability that a true case scores above another one, ties as half (Mann and Whitney 1947)."""
    positives, n = int(truth.sum()), len(truth)
    if positives in (0, n):
        return float("nan")
    values, places = np.unique(scores, return_inverse=True)
    counts = np.bincount(places, minlength=len(values))
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * (n - positives)))


def paired(score: Score, champion: Floats, challenger: Floats, truth: Flags, patient: NDArray[np.int64]) -> Paired:
    """The figure of both, and the bootstrap interval of its difference, drawn by patient."""
    rng = np.random.default_rng(SEED)
    order = np.argsort(patient, kind="stable")
    starts = np.flatnonzero(np.diff(patient[order], prepend=patient[order][:1] - 1))
    visits = np.split(order, starts[1:])
    differences = []
    for _ in range(DRAWS):
        rows = np.concatenate([visits[one] for one in rng.integers(0, len(visits), len(visits))])
        differences.append(score(challenger[rows], truth[rows]) - score(champion[rows], truth[rows]))
    known = np.array(differences)[~np.isnan(differences)]
    low, high = np.percentile(known, (2.5, 97.5)) if len(known) else (np.nan, np.nan)
    return Paired(score(champion, truth), score(challenger, truth), float(low), float(high))
