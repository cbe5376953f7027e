"""Discrimination under resampled weights: each score is sorted once, each draw of the bootstrap then costs one pass."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Ranking:
    """One score of one yes-or-no question, sorted, with equal scores as one step."""

    def __init__(self, truth: Flags, score: Floats) -> None:
        self._order = np.argsort(score, kind="stable")
        ordered = score[self._order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self._starts = starts if len(starts) < len(ordered) else None
        self._yes = truth[self._order].astype(np.float64)

    def auroc(self, weight: Floats) -> float:
        """Chance that a yes scores over a no, ties counting half; NaN without both. `weight` has shape (n,)."""
        return _auroc(*self._steps(weight))

    def average_precision(self, weight: Floats) -> float:
        """Area under precision and recall; NaN without a yes. `weight` has shape (n,)."""
        return _average_precision(*self._steps(weight))

    def both(self, weight: Floats) -> tuple[float, float]:
        """`auroc` and `average_precision`, for little more than one of them."""
        yes, no = self._steps(weight)
        return _auroc(yes, no), _average_precision(yes, no)

    def _steps(self, weight: Floats) -> tuple[Floats, Floats]:
        """Weight of the yes and of the no of each different score, the lowest first."""
        ordered = weight[self._order]
        yes = ordered * self._yes
        if self._starts is not None:
            ordered, yes = np.add.reduceat(ordered, self._starts), np.add.reduceat(yes, self._starts)
        return yes, ordered - yes


def _auroc(yes: Floats, no: Floats) -> float:
    pairs = yes.sum() * no.sum()
    below = np.cumsum(no) - no
    return float((yes * (below + no / 2)).sum() / pairs) if pairs > 0 else np.nan


def _average_precision(yes: Floats, no: Floats) -> float:
    yes, no = yes[::-1], no[::-1]
    found = np.cumsum(yes)
    flagged = found + np.cumsum(no)
    if found[-1] <= 0:
        return np.nan
    precision = np.divide(found, flagged, out=np.zeros_like(found), where=flagged > 0)
    return float((precision * yes).sum() / found[-1])


def patient_draws(patient: NDArray[np.int64], weight: Floats, *, draws: int, seed: int) -> Iterator[Floats]:
    """Row weights of `draws` bootstrap samples of whole patients, each of shape (n,)."""
    patients, index = np.unique(patient, return_inverse=True)
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        times = np.bincount(rng.integers(0, len(patients), len(patients)), minlength=len(patients))
        yield weight * times[index]


def interval(values: Floats) -> tuple[float, float]:
    """The middle 95 % of a bootstrap's values, without draws that could not be computed; NaN when none could."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
