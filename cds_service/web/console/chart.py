"""What moved the risk, drawn as bars by the server: one picture, its numbers in a table beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cds_service.cdshooks.card_text import SHOWN_FROM
from cds_service.cdshooks.wording import Words
from cds_service.domain.prediction import Driver

MOST = 8
_WIDTH, _ROW = 240, 22


@dataclass(frozen=True, slots=True)
class Bar:
    """One value and how far it moved the risk: `x` and `width` in a drawing of `_WIDTH`, `y` from its top."""

    label: str
    raises: bool
    x: float
    width: float
    y: int
    contribution: str


@dataclass(frozen=True, slots=True)
class Bars:
    """The drawing: its bars, its size, and where nothing is moved."""

    bars: tuple[Bar, ...]
    width: int
    height: int
    middle: float


def driver_bars(drivers: Sequence[Driver], words: Words) -> Bars:
    """The values that moved the risk most, largest first, on one scale; empty when none moved it much."""
    shown = [driver for driver in drivers[:MOST] if abs(driver.contribution) >= SHOWN_FROM]
    largest = max((abs(driver.contribution) for driver in shown), default=1.0)
    middle = _WIDTH / 2
    bars = []
    for place, driver in enumerate(shown):
        width = round(abs(driver.contribution) / largest * middle, 1)
        raises = driver.contribution > 0
        bars.append(
            Bar(
                label=driver_text(driver, words),
                raises=raises,
                x=middle if raises else middle - width,
                width=width,
                y=place * _ROW,
                contribution=f"{'+' if raises else '−'}{words.number(round(abs(driver.contribution), 2))}",
            )
        )
    return Bars(tuple(bars), _WIDTH, len(bars) * _ROW, middle)


def driver_text(driver: Driver, words: Words) -> str:
    """The input as it was, or that it was unknown."""
    if driver.value is None:
        return words.t("%(input)s unknown") % {"input": words.name(driver.feature)}
    return words.reading(driver.feature, driver.value)
