"""What the dashboard is made of: a panel is a chart and the table it is drawn from, so none is without the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cds_service.cdshooks.wording import Words
from cds_service.monitoring.intervals import Estimate
from cds_service.web.console.plots import Plot


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of words under their heads; the first of each names the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One thing the dashboard shows. `lead` is the figure that matters, `note` how it is meant.

    `plots` are drawn above the table, each with its caption; `is_zoomable` says that the address of the series has it.
    `more` is a second table, with finer rows.
    """

    id: str
    title: str
    lead: str
    table: Table
    plots: tuple[tuple[str, Plot], ...] = ()
    note: str = ""
    is_zoomable: bool = False
    more: Table | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Panels that belong together."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to look at before anything else."""

    text: str
    tone: str = "yellow"


class Told:
    """Figures in a person's language."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.t = words.t

    def count(self, number: float) -> str:
        """A whole number with a space between thousands (ISO 80000-1)."""
        return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")

    def percent(self, part: float, digits: int = 1) -> str:
        """A share as per cent."""
        return f"{self._comma(f'{part * 100:.{digits}f}')} %"

    def per_cent_of(self, number: float, whole: float) -> str:
        """The share of something of the whole; a dash where there is no whole."""
        return self.percent(number / whole) if whole else "–"

    def number(self, value: float, digits: int = 2) -> str:
        """A number with so many decimals."""
        return self._comma(f"{value:.{digits}f}")

    def tick(self, value: float) -> str:
        """A number of an axis: whole where it is, or from 20 up, else of three digits at most."""
        return self.count(value) if value >= 20 or value == int(value) else self._comma(f"{value:.3g}")

    def figure(self, value: float) -> str:
        """A number of whatever size: whole as a count, else of four digits."""
        return self.count(value) if isinstance(value, int) else self._comma(f"{value:.4g}")

    def milliseconds(self, seconds: float | None) -> str:
        """Seconds as milliseconds; a dash where there are none."""
        return "–" if seconds is None else f"{self._comma(f'{seconds * 1000:.3g}')} ms"

    def estimate(self, found: Estimate | None, *, as_percent: bool = True) -> str:
        """A figure with its interval, or that too little is known."""
        if found is None:
            return self.t("not enough labels")
        value, low, high = (self.percent(one, 0) if as_percent else self.number(one) for one in found[:3])
        return f"{value} ({low} – {high})"

    def _comma(self, text: str) -> str:
        return text.replace(".", ",") if self.words.decimal_comma else text


def rows(*found: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Rows of a table."""
    return tuple(tuple(row) for row in found)
