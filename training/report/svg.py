"""A drawing area with axes, and the few marks the report's charts are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

# Colours that people with any kind of colour vision tell apart (Okabe and Ito 2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a07c00")
Point = tuple[float, float]


@dataclass(slots=True)
class Chart:
    """Marks in data coordinates, drawn into one `<svg>`; `x` and `y` are the ranges of the axes."""

    x: Point
    y: Point
    width: int = 326
    height: int = 262
    left: int = 46
    bottom: int = 38
    marks: list[str] = field(default_factory=list)

    def at(self, x: float, y: float) -> Point:
        """Where a point of the data lies on the page."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0] or 1)
        up = (y - self.y[0]) / (self.y[1] - self.y[0] or 1)
        return self.left + across * (self.width - self.left - 12), 10 + (1 - up) * (self.height - self.bottom - 10)

    def line(self, points: Iterable[Point], colour: str, style: str = "") -> None:
        """A line through the points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*point) for point in points))
        self.marks.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" {style}/>')

    def band(self, low: Sequence[Point], high: Sequence[Point], colour: str) -> None:
        """The area between two lines."""
        outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*p) for p in [*low, *reversed(high)]))
        self.marks.append(f'<polygon points="{outline}" fill="{colour}" fill-opacity="0.13"/>')

    def dot(self, point: Point, colour: str, label: str, radius: float = 4) -> None:
        """A dot that says what it is when pointed at."""
        x, y = self.at(*point)
        self.marks.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"><title>{escape(label)}</title></circle>'
        )

    def text(self, point: Point, words: str, style: str = "") -> None:
        """Words at a point of the data."""
        x, y = self.at(*point)
        self.marks.append(f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>')

    def axes(self, across: str, up: str, x_ticks: Sequence[float], y_ticks: Sequence[float], form: str = "g") -> None:
        """Grid lines with their values, and what is measured along each side."""
        for tick in x_ticks:
            x, low = self.at(tick, self.y[0])
            self.marks.append(f'<line x1="{x:.1f}" y1="10" x2="{x:.1f}" y2="{low:.1f}" class="grid"/>')
            self.marks.append(f'<text x="{x:.1f}" y="{low + 14:.1f}" text-anchor="middle">{tick:{form}}</text>')
        for tick in y_ticks:
            left, y = self.at(self.x[0], tick)
            self.marks.append(f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{self.width - 12}" y2="{y:.1f}" class="grid"/>')
            self.marks.append(f'<text x="{left - 5:.1f}" y="{y + 3.5:.1f}" text-anchor="end">{tick:{form}}</text>')
        middle = (self.left + self.width - 12) / 2
        self.marks.append(
            f'<text x="{middle:.0f}" y="{self.height - 5}" text-anchor="middle" class="axis">{escape(across)}</text>'
        )
        if up:
            y = (self.height - self.bottom) / 2
            turned = f'transform="rotate(-90 11 {y:.0f})"'
            self.marks.append(
                f'<text x="11" y="{y:.0f}" text-anchor="middle" class="axis" {turned}>{escape(up)}</text>'
            )

    def drawn(self, title: str) -> str:
        """The finished picture; `title` is what a screen reader says."""
        marks = "\n".join(self.marks)
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" width="{self.width}" role="img" '
            f'aria-label="{escape(title)}">\n{marks}\n</svg>'
        )


def shade(value: float | None) -> str:
    """Blue for positive, orange for negative, white at zero; grey where nothing is known."""
    if value is None:
        return "#eceff1"
    strength = min(1.0, abs(value))
    full = (0, 94, 148) if value >= 0 else (213, 94, 0)
    red, green, blue = (round(255 + (part - 255) * strength) for part in full)
    return f"rgb({red},{green},{blue})"
