"""From candidates to the one reading used of each vital sign: the latest, unless equals disagree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isclose
from types import MappingProxyType
from typing import Any, TypeAlias

from cds_service.domain.patient import NotUsed, Reading, UnusedReading, Value, new_unused

# Two values of one moment are the same when only rounding parts them (97.8 [degF] is 36.5556 Cel). Chosen by us.
_SAME = 1e-3

# Inhaled oxygen over this share is more than air (RCP 2017: air or oxygen; US Core: 21 % is room air).
_AIR_PERCENT = 21.0


# A usable reading, and what it came in, which the reader's orders know. A plain tuple: every reading makes one.
Candidate: TypeAlias = tuple[Reading, Any]

# What tells which of two candidates of one moment is the later statement; None where it does not say.
Order = Callable[[Any], float | None]


def choose_readings(
    candidates: dict[str, list[Candidate]], unused: list[UnusedReading], orders: Sequence[Order]
) -> Mapping[str, Reading]:
    """The reading used of each vital sign; what is not used is added to `unused`.

    `orders` are asked in turn of the origins of candidates of one moment; the higher answer counts.
    """
    _derive_oxygen_flag(candidates)
    readings: dict[str, Reading] = {}
    for name, several in candidates.items():
        if len(several) == 1:
            readings[name] = several[0][0]
            continue
        chosen = _latest(several, orders)
        if len(chosen) == 1:
            readings[name] = chosen[0][0]
        _note_left_out(several, chosen, unused)
    _check_pressures(readings, unused)
    _check_oxygen(readings, unused)
    return MappingProxyType(readings)


def _latest(candidates: list[Candidate], orders: Sequence[Order]) -> list[Candidate]:
    """The newest candidate; several when they are of one moment, differ, and nothing tells which is right."""
    newest = max([reading.time for reading, _ in candidates])
    top = [candidate for candidate in candidates if candidate[0].time == newest]
    for order in orders:
        if len(top) == 1:
            return top
        keyed = [(key, candidate) for candidate in top if (key := order(candidate[1])) is not None]
        if len(keyed) == len(top):
            last = max(key for key, _ in keyed)
            top = [candidate for key, candidate in keyed if key == last]
    value = top[0][0].value
    return top[:1] if all(_same(value, other.value) for other, _ in top) else top


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return isclose(one, other, rel_tol=_SAME)


def _note_left_out(candidates: list[Candidate], chosen: list[Candidate], unused: list[UnusedReading]) -> None:
    conflicting = {id(candidate) for candidate in chosen} if len(chosen) > 1 else ()
    for candidate in candidates:
        reading = candidate[0]
        if id(candidate) in conflicting:
            unused.append(_unused(reading, NotUsed.CONFLICTING, "another value of the same moment"))
        elif not _is_copy(reading, chosen[0][0]) and _DERIVED.isdisjoint(reading.flags):
            unused.append(_unused(reading, NotUsed.SUPERSEDED, "a later one is used"))


def _is_copy(reading: Reading, used: Reading) -> bool:
    """Whether it is the used reading itself, or the same resource sent twice."""
    return reading is used or (reading.source == used.source and _same(reading.value, used.value))


def _unused(reading: Reading, reason: NotUsed, detail: str, *, alarming: bool = False) -> UnusedReading:
    return new_unused((reading.name, reason, reading.source, reading.original, detail, reading.time, alarming))


_DERIVED = frozenset({"from-flow", "from-concentration"})
_EVIDENCE = (("oxygen_flow", 0.0, "from-flow"), ("oxygen_concentration", _AIR_PERCENT, "from-concentration"))


def _derive_oxygen_flag(candidates: dict[str, list[Candidate]]) -> None:
    """Add what flows and concentrations say of oxygen or air to the statements on it."""
    for name, air, flag in _EVIDENCE:
        for reading, origin in candidates.get(name, ()):
            said = reading._replace(name="on_oxygen", value=float(reading.value) > air, flags=(*reading.flags, flag))
            candidates.setdefault("on_oxygen", []).append((said, origin))


def _check_pressures(readings: dict[str, Reading], unused: list[UnusedReading]) -> None:
    """Drop a diastolic pressure not below the systolic: both of one moment, else the older of the two."""
    systolic, diastolic = readings.get("systolic_bp"), readings.get("diastolic_bp")
    if systolic is None or diastolic is None:
        for alone in (systolic, diastolic):
            if alone is not None:
                readings[alone.name] = alone._replace(flags=(*alone.flags, "other-pressure-missing"))
        return
    if float(diastolic.value) < float(systolic.value):
        return
    newest = max(systolic.time, diastolic.time)
    same = systolic.time == diastolic.time
    for reading in (systolic, diastolic):
        if same or reading.time < newest:
            del readings[reading.name]
            detail = "diastolic is not below systolic"
            unused.append(_unused(reading, NotUsed.INCONSISTENT, detail, alarming=True))


def _check_oxygen(readings: dict[str, Reading], unused: list[UnusedReading]) -> None:
    """Drop a flow or concentration that a later statement on oxygen or air has overtaken."""
    flag = readings.get("on_oxygen")
    if flag is None:
        return
    for name, air, _ in _EVIDENCE:
        reading = readings.get(name)
        if reading is not None and reading.time < flag.time and (float(reading.value) > air) != flag.value:
            del readings[name]
            unused.append(_unused(reading, NotUsed.SUPERSEDED, "a later statement on oxygen or air is used"))
