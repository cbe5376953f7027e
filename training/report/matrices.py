"""Charts of cells and rows: confusion, correlations, contributions, subgroups and families side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import log10
from typing import Any

from training.report.svg import COLOURS, Chart, shade

_CELL = 46
_TURNED = 5.0  # width of a letter of a name that is turned
_LABEL = 148


def confusion(cells: Sequence[Sequence[float]], classes: Sequence[str]) -> str:
    """What was true (down) against what was said (across), shaded by the share of the true class."""
    rows = [[value / (sum(row) or 1) for value in row] for row in cells]
    return _cells(rows, classes, classes, [[f"{value:,.0f}" for value in row] for row in cells], "confusion matrix")


def correlations(table: Sequence[Sequence[float | None]], features: Sequence[str]) -> str:
    """Rank correlation of each pair of inputs."""
    words = [
        ["" if value is None or i == j else f"{value:.2f}" for j, value in enumerate(row)]
        for i, row in enumerate(table)
    ]
    shaded = [[0.0 if i == j else value for j, value in enumerate(row)] for i, row in enumerate(table)]
    return _cells(shaded, features, features, words, "rank correlations of inputs")


def contributions(found: Mapping[str, Any]) -> str:
    """Mean size of each input's contribution as a bar, and its mean in each fifth of the input as dots, low to high."""
    names = sorted(found, key=lambda name: -found[name]["size"])
    values = [
        value
        for one in found.values()
        for value in (*one["by_fifth"], one["missing"], one["size"])
        if value is not None
    ]
    low, high = min(0.0, *values) * 1.1, max(values) * 1.1 or 1.0
    chart = Chart((low, high), (len(names) - 0.4, -0.6), width=494, height=60 + 26 * len(names), left=_LABEL)
    chart.axes("log-odds", "", _ticks(low, high), ())
    for row, name in enumerate(names):
        left, y = chart.at(0, row)
        right, _ = chart.at(found[name]["size"], row)
        chart.marks.append(
            f'<rect x="{left:.1f}" y="{y - 8:.1f}" width="{right - left:.1f}" height="16" fill="#dfe7ee"/>'
        )
        chart.text((low, row), name.replace("_", " "), 'dx="-6" dy="4" text-anchor="end"')
        fifths = found[name]["by_fifth"]
        for number, value in enumerate(fifths):
            if value is not None:
                tone = shade(2 * number / max(len(fifths) - 1, 1) - 1 or 0.15)
                chart.dot((value, row), tone, f"{name}, fifth {number + 1} of {len(fifths)}: {value:+.3f}", 4.5)
                chart.marks[-1] = chart.marks[-1].replace("<circle ", '<circle stroke="#5b6770" stroke-width="0.7" ')
        if found[name]["missing"] is not None:
            chart.text((found[name]["missing"], row), "×", 'dy="4" text-anchor="middle" class="missing"')
    return chart.drawn("contributions of inputs")


def whiskers(rows: Sequence[tuple[str, Mapping[str, float | None], bool]], across: str) -> str:
    """A figure with its interval, one row each; the marked rows are drawn in the winner's colour."""
    known = [(label, found, marked) for label, found, marked in rows if found["value"] is not None]
    ends = [v for _, found, _ in known for v in (found["low"], found["high"], found["value"]) if v is not None]
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 0.05
    chart = Chart((low - room, high + room), (len(known) - 0.4, -0.6), width=494, height=56 + 22 * len(known), left=170)
    chart.axes(across, "", _ticks(low, high), ())
    for row, (label, found, marked) in enumerate(known):
        colour = COLOURS[0] if marked else "#5b6770"
        if found["low"] is not None and found["high"] is not None:
            chart.line([(found["low"], row), (found["high"], row)], colour, 'stroke-linecap="round"')
        chart.dot((found["value"] or 0.0, row), colour, f"{label}: {found['value']:.3f}", 4.5)
        weight = ' font-weight="600"' if marked else ""
        chart.text((low - room, row), label, f'dx="-6" dy="4" text-anchor="end"{weight}')
    return chart.drawn(across)


def costs(rows: Sequence[tuple[str, float, float, bool]], across: str) -> str:
    """AUROC against the logarithm of a time in milliseconds, a dot with its name for each family."""
    times = [log10(max(time, 1e-3)) for _, time, _, _ in rows]
    quality = [value for _, _, value, _ in rows]
    room = 0.12 * (max(quality) - min(quality) or 0.1)
    chart = Chart(
        (min(times) - 0.2, max(times) + 0.9), (min(quality) - room, max(quality) + room), width=430, height=300
    )
    chart.axes(across, "AUROC", (), _ticks(min(quality), max(quality)))
    taken: list[float] = []
    for (name, time, value, marked), place in sorted(zip(rows, times, strict=True), key=lambda pair: -pair[0][2]):
        colour = COLOURS[0] if marked else "#5b6770"
        chart.dot((place, value), colour, f"{name}: {time:.2f} ms, AUROC {value:.3f}", 4.5)
        y = chart.at(place, value)[1]
        shift = _free(y, taken)
        taken.append(y + shift)
        chart.text((place, value), name, f'dx="8" dy="{4 + shift}" fill="{colour}"')
    for power in range(round(min(times) - 0.5), round(max(times) + 0.5) + 1):
        if chart.x[0] <= power <= chart.x[1]:
            chart.text((power, chart.y[0]), f"{10.0**power:g}", 'dy="14" text-anchor="middle"')
    return chart.drawn(across)


def _free(y: float, taken: Sequence[float]) -> int:
    """How far a name must move up or down so that it stands on no other."""
    free = (step for step in (0, 11, -11, 22, -22, 33, -33, 44) if all(abs(y + step - other) >= 10 for other in taken))
    return next(free, 55)


def _cells(
    shares: Sequence[Sequence[float | None]],
    down: Sequence[str],
    across: Sequence[str],
    words: Sequence[Sequence[str]],
    title: str,
) -> str:
    width = max(_LABEL + _CELL * (j + 0.5) + _TURNED * len(name) for j, name in enumerate(across)) + 4
    width, height = max(width, _LABEL + _CELL * len(across) + 26), 100 + _CELL * 0.62 * len(down)
    marks = []
    for i, name in enumerate(down):
        y = 92 + i * _CELL * 0.62
        marks.append(
            f'<text x="{_LABEL - 6}" y="{y + 18:.1f}" text-anchor="end">{escape(name.replace("_", " "))}</text>'
        )
        for j, share in enumerate(shares[i]):
            x = _LABEL + j * _CELL
            ink = "#fff" if share is not None and abs(share) > 0.55 else "#24313c"
            marks.append(
                f'<rect x="{x}" y="{y:.1f}" width="{_CELL - 1}" height="{_CELL * 0.62 - 1:.1f}" fill="{shade(share)}"/>'
                f'<text x="{x + _CELL / 2:.1f}" y="{y + 18:.1f}" text-anchor="middle" fill="{ink}">{words[i][j]}</text>'
            )
    for j, name in enumerate(across):
        middle = _LABEL + j * _CELL + _CELL / 2
        marks.append(
            f'<text transform="translate({middle:.1f} 84) rotate(-42)">{escape(name.replace("_", " "))}</text>'
        )
    inside = "\n".join(marks)
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
    return f'<svg {size} role="img" aria-label="{title}">\n{inside}\n</svg>'


def _ticks(low: float, high: float) -> list[float]:
    """Up to seven round numbers between two ends."""
    for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0):
        numbers = range(int(low // step), int(high // step) + 2)
        if len(numbers) <= 8:
            break
    return [round(step * number, 4) for number in numbers if low <= step * number <= high]
