"""Charts of how good the winner is: ROC, precision and recall, calibration, workload, learning."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import log10
from typing import Any

from training.curves import GRID
from training.report.svg import COLOURS, Chart

_UNIT = (0.0, 0.25, 0.5, 0.75, 1.0)
LEAST_BANDED = 10
_TICKED = (5, 10, 20, 30, 50)
Charts = Mapping[str, Any]


def roc(charts: Charts, banded: Collection[str]) -> str:
    """True against false flags as the threshold falls."""
    chart = Chart((0, 1), (0, 1))
    chart.axes("false flags (1 - specificity)", "found (sensitivity)", _UNIT, _UNIT)
    chart.line([(0, 0), (1, 1)], "#9aa5b1", 'stroke-dasharray="3 4"')
    _curves(chart, charts, "roc", banded)
    return chart.drawn("ROC curves with 95 % intervals")


def precision_recall(charts: Charts, banded: Collection[str]) -> str:
    """How many flags are right, by how many cases are found."""
    chart = Chart((0, 1), (0, 1))
    chart.axes("found (recall)", "flags that are right (precision)", _UNIT, _UNIT)
    _curves(chart, charts, "precision_recall", banded)
    return chart.drawn("precision-recall curves with 95 % intervals")


def calibration(charts: Charts) -> str:
    """Expected against observed share in tenths of the patients; rare outcomes need the axis their shares need."""
    tenths = [tenth for found in charts.values() for tenth in found["calibration"]]
    top = max(0.05, *(max(tenth["expected"], tenth["observed"]) for tenth in tenths)) * 1.08
    ticks = [tick for tick in _round_ticks(top) if tick <= top]
    chart = Chart((0, top), (0, top))
    chart.axes("expected share", "observed share", ticks, ticks, ".0%")
    chart.line([(0, 0), (top, top)], "#9aa5b1", 'stroke-dasharray="3 4"')
    for colour, (name, found) in zip(COLOURS, charts.items(), strict=False):
        points = [(tenth["expected"], tenth["observed"]) for tenth in found["calibration"]]
        chart.line(points, colour, 'stroke-opacity="0.45"')
        for tenth, point in zip(found["calibration"], points, strict=True):
            chart.dot(point, colour, f"{name}: expected {point[0]:.1%}, observed {point[1]:.1%}, {tenth['rows']} rows")
    return chart.drawn("calibration by tenths")


def _round_ticks(top: float) -> list[float]:
    step = next(step for step in (0.02, 0.05, 0.1, 0.25) if top / step <= 6)
    return [round(step * number, 2) for number in range(7)]


def workload(found: Mapping[str, Any]) -> str:
    """What each number of flags per 100 patients finds, and the share of flags that are false."""
    points = found["workload"]
    chart = Chart((0, max(point["flags_per_100"] for point in points)), (0, 1))
    ticks = [point["flags_per_100"] for point in points if point["flags_per_100"] in _TICKED]
    chart.axes("flags per 100 patients", "share", ticks, _UNIT)
    for colour, key, words in ((COLOURS[0], "found", "found"), (COLOURS[1], "false_share", "false flags")):
        chart.line([(point["flags_per_100"], point[key]) for point in points], colour)
        for point in points:
            label = (
                f"{point['flags_per_100']:.0f} flags per 100, from {point['threshold']:.1%}: {words} {point[key]:.0%}"
            )
            chart.dot((point["flags_per_100"], point[key]), colour, label, 3)
    return chart.drawn("workload by threshold")


def learning(points: list[Mapping[str, float]]) -> str:
    """Quality on the test rows by number of rows fitted on."""
    low, high = (pick(point["quality"] for point in points) for pick in (min, max))
    room = max(0.01, 0.25 * (high - low))
    ticks = [round(low - room + (high - low + 2 * room) * part / 4, 3) for part in range(5)]
    chart = Chart((log10(points[0]["rows"]), log10(points[-1]["rows"])), (ticks[0], ticks[-1]), left=56)
    chart.axes("rows fitted on (doublings are even steps)", "mean of AUROC and AUC-PR", (), ticks)
    spots = [(log10(point["rows"]), point["quality"]) for point in points]
    chart.line(spots, COLOURS[0])
    for point, spot in zip(points, spots, strict=True):
        chart.dot(spot, COLOURS[0], f"{point['rows']:,} rows: {point['quality']:.3f}")
        anchor = "start" if point is points[0] else "end" if point is points[-1] else "middle"
        chart.text((spot[0], ticks[0]), f"{point['rows']:,}", f'dy="14" text-anchor="{anchor}"')
    return chart.drawn("learning curve")


def _curves(chart: Chart, charts: Charts, key: str, banded: Collection[str]) -> None:
    for colour, (name, found) in zip(COLOURS, charts.items(), strict=False):
        sides = {
            side: [
                (float(x), float(y)) for x, y in zip(GRID, found[key][side], strict=True) if y is not None and y == y
            ]
            for side in ("low", "high", "value")
        }
        if name in banded:
            chart.band(sides["low"], sides["high"], colour)
        chart.line(sides["value"], colour)
