"""How far inputs are from those a model was fitted on: an effect size, asked for in several windows, never a p-value.

The population stability index is used because the reference is kept as deciles: a standardised difference needs means.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log

# Siddiqi, Credit Risk Scorecards (2006): under 0.1 no shift to speak of, from 0.25 a major one.
SOME, MAJOR = 0.1, 0.25
# With ten bins chance alone gives about 9/n on average (Yurdakul 2018, scholarworks.wmich.edu/dissertations/3208):
# of 200 values 0.045. A window of fewer is joined with the next.
FEWEST = 200
# An alarm asks for a major shift in so many of the last windows; chosen by us, so that one odd day is none.
WINDOWS, ALARMING = 5, 3


@dataclass(frozen=True, slots=True)
class Reference:
    """One input in the fitting rows: counts between `edges`, and the share of rows where it was missing."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing_share: float

    @property
    def bins(self) -> tuple[float, ...]:
        """The counts, and last of all those of what was missing."""
        known = sum(self.counts)
        return (*self.counts, known * self.missing_share / (1 - self.missing_share) if self.missing_share < 1 else 0.0)


@dataclass(frozen=True, slots=True)
class Shift:
    """How far an input is from its reference over all days, and in each of the last windows, oldest first."""

    index: float | None
    windows: tuple[float, ...]
    n: int

    @property
    def is_drift(self) -> bool:
        """Whether the shift is major, and stays so."""
        return sum(one >= MAJOR for one in self.windows) >= ALARMING


def psi(reference: Sequence[float], found: Sequence[float]) -> float:
    """Population stability index of counts against a reference's, half a case added to each bin."""
    expected, observed = (_shares(counts) for counts in (reference, found))
    return sum((o - e) * log(o / e) for e, o in zip(expected, observed, strict=True))


def shift(reference: Reference, days: Iterable[Sequence[int]]) -> Shift:
    """The shift of an input by its counts of each day, oldest first."""
    bins = reference.bins
    matching = [day for day in days if len(day) == len(bins)]
    found = [sum(column) for column in zip(*matching, strict=True)]
    windows = tuple(psi(bins, window) for window in _windows(matching))
    return Shift(psi(bins, found) if sum(found) >= FEWEST else None, windows, sum(found))


def names_of_bins(edges: Sequence[float]) -> list[str]:
    """How the bins between these edges are called, what is missing left out."""
    if not edges:
        return ["all"]
    inner = [f"{low:g} – {high:g}" for low, high in pairwise(edges)]
    return [f"< {edges[0]:g}", *inner, f"≥ {edges[-1]:g}"]


def _windows(days: Sequence[Sequence[int]]) -> list[list[int]]:
    """The last windows of enough values each, from the newest day back, oldest first."""
    windows: list[list[int]] = []
    window: list[int] = []
    for day in reversed(days):
        window = [a + b for a, b in zip(window, day, strict=True)] if window else list(day)
        if sum(window) >= FEWEST:
            windows.append(window)
            window = []
        if len(windows) == WINDOWS:
            break
    return windows[::-1]


def _shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts) + len(counts) / 2
    return [(one + 0.5) / total for one in counts]
