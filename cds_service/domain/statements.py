"""What one statement of a sender says of a vital sign: a value, or why it gives none."""

from __future__ import annotations

from typing import NamedTuple

from cds_service.domain.patient import NotUsed, Value
from cds_service.domain.text import bounded
from cds_service.domain.units import is_alarming, is_plausible, is_share
from cds_service.domain.vitals import VitalSign

SCORE = "{score}"


class Refusal(NamedTuple):
    """Why a statement gives no value."""

    reason: NotUsed
    detail: str = ""
    alarming: bool = False


class Given(NamedTuple):
    """A value in its canonical form, with remarks on it."""

    value: Value
    flags: tuple[str, ...] = ()


def quantity(sign: VitalSign, value: float, unit: str | None) -> Given | Refusal:
    """A number in the canonical unit of the vital sign, when it is one of its units and can be true."""
    scale = sign.units.get(unit or "")
    if scale is None:
        return _in_other_unit(sign, value, unit)
    value = value * scale[0] + scale[1]
    if sign.low <= value <= sign.high and (sign.usable_low is None or value >= sign.usable_low):
        return Given(value)
    return _implausible(sign, value)


def _in_other_unit(sign: VitalSign, value: float, unit: str | None) -> Given | Refusal:
    if unit is not None and is_share(sign.name, value, unit):
        given = plausible(sign, value * 100)
        return Given(given.value, ("from-share",)) if isinstance(given, Given) else given
    if unit:
        return Refusal(NotUsed.UNKNOWN_UNIT, bounded(unit))
    return plausible(sign, value) if sign.unit == SCORE else Refusal(NotUsed.MISSING_UNIT)


def plausible(sign: VitalSign, value: float) -> Given | Refusal:
    """A number in canonical units when it can be a reading of a living patient, else why it is not used."""
    return Given(value) if is_plausible(sign.name, value) else _implausible(sign, value)


def _implausible(sign: VitalSign, value: float) -> Refusal:
    is_in_range = sign.low <= value <= sign.high
    detail = f"under {sign.usable_low:g}" if is_in_range else f"outside {sign.low:g} to {sign.high:g}"
    return Refusal(NotUsed.IMPLAUSIBLE, f"{detail} {sign.unit}", is_alarming(sign.name, value))


def flag(answer: bool | None, said: bool | None) -> Given | Refusal:
    """What a statement on oxygen says by its code (`said`) alone, or by the yes or no it answers to that code."""
    if answer is None:
        return Refusal(NotUsed.NO_VALUE) if said is None else Given(said, ("stated-by-code",))
    if answer:
        return Given(said is not False)
    return Refusal(NotUsed.UNKNOWN_VALUE, "room air denied") if said is False else Given(False)
