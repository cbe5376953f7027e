"""Figures as a table: each with its bound, and whether it was met in this run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure; a bound it must keep makes it a claim."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps its bounds; true where it has none."""
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )


def lines(figures: Iterable[Figure]) -> Iterable[str]:
    """One line a figure: name, value, bound, verdict."""
    for figure in figures:
        bound = f"≤ {figure.at_most:g}" if figure.at_most is not None else ""
        bound = f"≥ {figure.at_least:g}" if figure.at_least is not None else bound
        verdict = ("met" if figure.is_met else "NOT MET") if bound else ""
        yield f"{figure.name:<58} {figure.value:>10.2f} {figure.unit:<6} {bound:<9} {verdict}".rstrip()
