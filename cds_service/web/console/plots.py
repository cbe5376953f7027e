"""Charts as shapes: where lines, bars, ticks and words stand in a drawing, for a template to write as SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, isfinite, log10

WIDTH, HEIGHT = 420, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 10, 24
# Of a drawing in one row, between its name and its figure, which the page writes.
_ROOM, _ROW = 200, 24


@dataclass(frozen=True, slots=True)
class Mark:
    """A word at a place: a tick's, or a bar's."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One series; `paths` are its unbroken parts as SVG path data, `dots` days that stand alone."""

    name: str
    style: int
    paths: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, or one estimate: `low` to `high` are the ends of its interval, `tick` what it is compared with."""

    name: str
    value: str
    y: float
    width: float
    low: float | None = None
    high: float | None = None
    tick: float | None = None


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing of one of the kinds `lines`, `bars`, `dots` and `histogram`; sizes in its own units.

    Of `bars` and `dots` each row is a drawing of this size.
    """

    kind: str
    width: int
    height: int
    lines: tuple[Line, ...] = ()
    bars: tuple[Bar, ...] = ()
    x_ticks: tuple[Mark, ...] = ()
    y_ticks: tuple[Mark, ...] = ()
    left: float = 0.0
    names: tuple[str, ...] = field(default=())


Series = Sequence[float | None]


def lines(days: Sequence[str], series: Sequence[tuple[str, Series]], figure: Callable[[float], str]) -> Plot:
    """Series over days, from zero up; a day without a value leaves a gap. `figure` writes a number of the axis."""
    known = [value for _, values in series for value in values if value is not None and isfinite(value)]
    top = _round_up(max(known, default=1.0))
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(days) - 1)

    def at(number: int, value: float) -> tuple[float, float]:
        return round(_LEFT + number * step, 1), round(HEIGHT - _BOTTOM - value / top * (HEIGHT - _TOP - _BOTTOM), 1)

    drawn = []
    for style, (name, values) in enumerate(series):
        runs = _runs([None if value is None else at(number, value) for number, value in enumerate(values)])
        paths = tuple("M" + " L".join(f"{x} {y}" for x, y in run) for run in runs if len(run) > 1)
        drawn.append(Line(name, style, paths, tuple(run[0] for run in runs if len(run) == 1)))
    every = max(1, ceil(len(days) / 5))
    x_ticks = tuple(Mark(at(number, 0)[0], HEIGHT - 6, days[number][5:]) for number in range(0, len(days), every))
    y_ticks = tuple(Mark(_LEFT - 6, at(0, top * part / 4)[1], figure(top * part / 4)) for part in range(5))
    names = tuple(name for name, _ in series)
    return Plot("lines", WIDTH, HEIGHT, tuple(drawn), (), x_ticks, y_ticks, _LEFT, names)


def bars(rows: Sequence[tuple[str, float, str]], *, compared: Sequence[float] = ()) -> Plot:
    """One bar for each name, with its figure in words; `compared` sets a tick on each, such as a reference's."""
    top = max((*(value for _, value, _ in rows), *compared), default=0.0) or 1.0
    ticks: Sequence[float | None] = compared or [None] * len(rows)
    drawn = tuple(
        Bar(name, words, 0, round(value / top * _ROOM, 1), tick=None if tick is None else round(tick / top * _ROOM, 1))
        for (name, value, words), tick in zip(rows, ticks, strict=True)
    )
    return Plot("bars", _ROOM, _ROW, bars=drawn)


def dots(
    rows: Sequence[tuple[str, float, float, float, str]], *, most: float = 1.0, compared: Sequence[float] = ()
) -> Plot:
    """An estimate with its interval for each name, from zero to `most`, with its figure in words.

    `compared` sets a tick on each, such as what was expected.
    """
    ticks: Sequence[float | None] = compared or [None] * len(rows)
    drawn = tuple(
        Bar(
            name,
            words,
            0,
            round(min(value / most, 1) * _ROOM, 1),
            round(min(low / most, 1) * _ROOM, 1),
            round(min(high / most, 1) * _ROOM, 1),
            None if tick is None else round(min(tick / most, 1) * _ROOM, 1),
        )
        for (name, value, low, high, words), tick in zip(rows, ticks, strict=True)
    )
    return Plot("dots", _ROOM, _ROW, bars=drawn)


def histogram(shares: Sequence[float], reference: Sequence[float]) -> Plot:
    """Shares by bin as bars, the reference's as a mark over each."""
    width, height = 240, 90
    top = max(*shares, *reference, 0.01)
    step = width / len(shares)
    drawn = tuple(
        Bar(
            "",
            "",
            round(number * step + 1, 1),
            round(max(step - 2, 1), 1),
            low=round(height - share / top * (height - 4), 1),
            high=round(share / top * (height - 4), 1),
            tick=round(height - expected / top * (height - 4), 1),
        )
        for number, (share, expected) in enumerate(zip(shares, reference, strict=True))
    )
    return Plot("histogram", width, height, bars=drawn)


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def _round_up(value: float) -> float:
    """The next of 1, 2, 4 and 5 times a power of ten, so that quarters of it are round."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 4, 8, 10) if value <= step * power * 1.000001)
