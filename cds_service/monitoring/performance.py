"""How well predictions did by what labels say, from counts alone, with 95 % intervals; none of too few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from cds_service.monitoring.day_counts import Truth
from cds_service.monitoring.intervals import FEWEST, Estimate, auroc, share

# Groups of a calibration plot; chosen by us, as many as the report of a training shows.
GROUPS = 10


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How a class or a band was told: those found of the true ones, and those true of the ones told."""

    name: str
    recall: Estimate | None
    precision: Estimate | None
    n_true: int
    n_told: int


@dataclass(frozen=True, slots=True)
class Group:
    """Predictions of about one probability: what was expected of them, and what came."""

    expected: float
    observed: Estimate


def risk_figures(truth: Truth) -> list[ClassFigures]:
    """Bands told against ICU admissions: high alone, and moderate or high."""
    admitted = sum(found for _, found in truth.bands.values())
    figures = []
    for name, bands in (("high", ("high",)), ("moderate-or-high", ("moderate", "high"))):
        told = sum(truth.bands.get(band, [0, 0])[0] for band in bands)
        hits = sum(truth.bands.get(band, [0, 0])[1] for band in bands)
        figures.append(ClassFigures(name, share(hits, admitted), share(hits, told), admitted, told))
    return figures


def state_figures(counts: Mapping[str, Mapping[str, int]], names: tuple[str, ...]) -> list[ClassFigures]:
    """Each state told against the true ones; `counts` are `Truth.states` or `Truth.model`."""
    figures = []
    for name in names:
        of_true = counts.get(name, {})
        n_true, hits = of_true.get("", 0), of_true.get(name, 0)
        told = sum(said.get(name, 0) for said in counts.values())
        figures.append(ClassFigures(name, share(hits, n_true), share(hits, told), n_true, told))
    return figures


def discrimination(truth: Truth) -> Estimate | None:
    """AUROC of the risk."""
    if not truth.risk:
        return None
    counts, admitted, _ = truth.risk
    return auroc([n - hits for n, hits in zip(counts, admitted, strict=True)], admitted)


def observed_over_expected(truth: Truth) -> Estimate | None:
    """Admissions that came over those expected: 1 is right; the interval is that of the share that came."""
    n, admitted, expected = (sum(column) for column in truth.risk) if truth.risk else (0, 0, 0.0)
    found = share(admitted, n)
    if found is None or admitted < FEWEST or not expected:
        return None
    value, low, high = (end * n / expected for end in found[:3])
    return Estimate(value, low, high, int(n))


def calibration(truth: Truth) -> list[Group]:
    """Neighbouring bins put together into groups of about as many predictions each; none where there are few."""
    bins = [one for one in zip(*truth.risk, strict=True) if one[0]]
    n = sum(one[0] for one in bins)
    if n < GROUPS * FEWEST:
        return []
    places = [min(int((upto - 1) / n * GROUPS), GROUPS - 1) for upto in accumulate(one[0] for one in bins)]
    groups = []
    for place in sorted(set(places)):
        mine = [one for at, one in zip(places, bins, strict=True) if at == place]
        number, admitted, expected = (sum(column) for column in zip(*mine, strict=True))
        observed = share(admitted, number)
        if observed is not None:
            groups.append(Group(expected / number, observed))
    return groups


def rare_recall(truth: Truth) -> tuple[Estimate | None, Estimate | None]:
    """How often the disease a label names was the first of the list, and in its first ten."""
    n, first, listed = truth.rare or (0, 0, 0)
    return share(first, n), share(listed, n)
