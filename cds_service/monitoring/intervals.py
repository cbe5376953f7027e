"""How sure a share or a ranking is: 95 % intervals from counts alone, so that they follow from roll-ups."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

# 97.5th percentile of the standard normal distribution.
_Z = 1.959964
# Fewer of either kind than this and a figure is not shown. Chosen by us: at 10 the interval of a recall of 0.8 reaches
# from 0.49 to 0.94, which tells nothing from chance; below it a picture would say more than is known.
FEWEST = 10


class Estimate(NamedTuple):
    """A figure with the ends of its 95 % interval, and how many it rests on."""

    value: float
    low: float
    high: float
    n: int


def share(hits: float, n: float) -> Estimate | None:
    """The share of `n` that are hits with Wilson's score interval; None where there are fewer than `FEWEST`.

    Source: Wilson 1927 (doi:10.1080/01621459.1927.10502953).
    """
    if n < FEWEST:
        return None
    p, width = hits / n, _Z**2 / n
    middle = (p + width / 2) / (1 + width)
    spread = _Z / (1 + width) * sqrt(p * (1 - p) / n + width / (4 * n))
    return Estimate(p, max(0.0, middle - spread), min(1.0, middle + spread), int(n))


def auroc(negatives: Sequence[float], positives: Sequence[float]) -> Estimate | None:
    """Probability that a case scores above another, from counts by bin of score, ties as half.

    None where there are fewer than `FEWEST` of either. Source of the interval: Hanley and McNeil 1982
    (doi:10.1148/radiology.143.1.7063747). Visits of one patient are taken as independent.
    """
    n, m = sum(negatives), sum(positives)
    if min(n, m) < FEWEST:
        return None
    below = area = 0.0
    for negative, positive in zip(negatives, positives, strict=True):
        area += positive * (below + negative / 2)
        below += negative
    a = area / (n * m)
    pairs, triples = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + (m - 1) * (pairs - a * a) + (n - 1) * (triples - a * a)) / (n * m)
    spread = _Z * sqrt(max(0.0, variance))
    return Estimate(a, max(0.0, a - spread), min(1.0, a + spread), int(n + m))
