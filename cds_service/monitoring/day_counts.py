"""What a day comes to: counts that add up, so that any days together are the sum of each. No id, no patient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

Counts = dict[str, int]

# Probabilities are counted in bins of equal width in log-odds, from `_LOWEST` up: fine enough that an AUROC from them
# differs by less than 0.005 from that of single rows (tested), and that bins of a calibration plot can be put together.
PROBABILITY_BINS = 64
_LOWEST, _HIGHEST = -8.0, 4.0

TOP = 10  # how many diseases a list shows (`inference/ranker_bench.LISTED`)


class Visits(msgspec.Struct):
    """What was assessed on a day, of whom the senders said what, and what was concluded.

    A visit is a patient and a day; a prediction of nobody in particular is a visit of its own. `flagged` visits had a
    prediction of high risk, `raised` of moderate or high. `used` and `not_used` count readings by vital sign,
    the latter by reason too. `inputs` are histograms by model version and input on the edges of that version's
    reference; the last bin is of what was missing. `cards` are cards shown, by service and indicator.
    """

    predictions: int = 0
    rankings: int = 0
    shown: int = 0
    visits: int = 0
    flagged: int = 0
    raised: int = 0
    services: Counts = {}
    bands: Counts = {}
    news2: Counts = {}
    states: Counts = {}
    likeliest: Counts = {}
    rare: Counts = {}
    cards: dict[str, Counts] = {}
    used: Counts = {}
    not_used: dict[str, Counts] = {}
    inputs: dict[str, dict[str, list[int]]] = {}


class Reports(msgspec.Struct):
    """The reports that hold on the cards of a day, by service: accepted, and overridden by reason."""

    accepted: Counts = {}
    overridden: dict[str, Counts] = {}


class Truth(msgspec.Struct):
    """What labels say of the predictions of a day.

    `seen` are those whose label's author had seen the prediction, `disputed` those whose labels exclude one another.
    `risk` holds three lists by bin of probability: visits, ICU admissions, sums of probabilities; `bands` [visits,
    admissions] by band. `states` counts by the true state how often each was said, and all of them under `""`; `model`
    the same with the likeliest state of a hospital's own model. `rare` is [labelled rankings, disease first, in the
    first ten].
    """

    labelled: int = 0
    seen: int = 0
    disputed: int = 0
    risk: list[list[float]] = []
    bands: dict[str, list[int]] = {}
    states: dict[str, Counts] = {}
    model: dict[str, Counts] = {}
    rare: list[int] = []


T = TypeVar("T", Visits, Reports, Truth)


def total(kind: type[T], found: Iterable[T]) -> T:
    """All of them together."""
    sums = kind()
    for one in found:
        for name in kind.__struct_fields__:
            setattr(sums, name, _sum(getattr(sums, name), getattr(one, name)))
    return sums


def count(counts: Counts, name: str, number: int = 1) -> None:
    """So many more of this."""
    counts[name] = counts.get(name, 0) + number


def probability_bin(log_odds: float) -> int:
    """The bin of a probability with these log-odds; the first and the last have no other end."""
    place = int((log_odds - _LOWEST) / (_HIGHEST - _LOWEST) * PROBABILITY_BINS)
    return min(max(place, 0), PROBABILITY_BINS - 1)


def _sum(one: Any, other: Any) -> Any:
    """The sum of counts of one shape: numbers, lists by place, tables by name."""
    if isinstance(one, dict):
        return {
            name: _sum(one[name], other[name]) if name in one and name in other else one.get(name, other.get(name))
            for name in one | other
        }
    if isinstance(one, list):
        if not one or not other:
            return one or other
        if isinstance(one[0], list):
            return [_sum(*pair) for pair in zip(one, other, strict=True)]
        return [a + b for a, b in zip(one, other, strict=True)]
    return one + other
