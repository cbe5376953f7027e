"""The vital signs of a flat record: those used, and those left out with their reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cds_service.domain.patient import NotUsed, Reading, UnusedReading, Value
from cds_service.domain.policy import ReadingPolicy
from cds_service.domain.statements import Given, quantity
from cds_service.domain.vitals import VITAL_SIGNS
from cds_service.errors import BadRequest
from cds_service.records.fields import choice, flag, number, text

SOURCE = "form"
QUANTITIES = tuple(name for name, sign in VITAL_SIGNS.items() if sign.kind == "quantity")

_LONGEST_ORIGINAL = 40
# The field offers all five letters of ACVPU, so an A says that new confusion was considered: no `confusion-not-asked`.
_CONSCIOUSNESS = {
    "a": "A", "alert": "A", "c": "C", "confusion": "C", "v": "V", "voice": "V",
    "p": "P", "pain": "P", "u": "U", "unresponsive": "U",
}  # fmt: skip
_BLOOD_GROUPS = {
    f"{abo}{rh}".lower(): f"{abo}{rh}" for abo in ("A", "B", "AB", "O") for rh in ("+", "-", "")
}  # fmt: skip
# What flow and concentration say of oxygen: more than nothing, and more than air holds (US Core: 21 % is room air).
_OXYGEN_OVER = (("oxygen_flow", 0.0, "from-flow"), ("oxygen_concentration", 21.0, "from-concentration"))


def read_readings(
    fields: Mapping[str, Any], *, observed: datetime, at: datetime, policy: ReadingPolicy, encounter_class: str
) -> tuple[dict[str, Reading], tuple[UnusedReading, ...]]:
    """Readings by name, in canonical units, in time and consistent; then the others with their reasons."""
    used: dict[str, Reading] = {}
    left_out: list[UnusedReading] = []
    for statement in _statements(fields, observed):
        if isinstance(statement, UnusedReading):
            left_out.append(statement)
        elif at - observed > policy.age_limit(statement.name, encounter_class):
            left_out.append(_unused(statement, NotUsed.STALE))
        else:
            used[statement.name] = statement
    left_out += _clashing_pressures(used)
    left_out += _settle_oxygen(used)
    return used, tuple(left_out)


def _statements(fields: Mapping[str, Any], observed: datetime) -> Iterator[Reading | UnusedReading]:
    for name in QUANTITIES:
        if name in fields:
            yield _quantity(name, fields, observed)
        elif f"{name}_unit" in fields:
            raise BadRequest("a unit without its value", where=f"{name}_unit")
    for name, value in (
        ("consciousness", choice("consciousness", fields, _CONSCIOUSNESS)),
        ("on_oxygen", flag("on_oxygen", fields)),
        ("blood_group", choice("blood_group", fields, _BLOOD_GROUPS)),
    ):
        if value is not None:
            yield _reading(name, value, observed, value if isinstance(value, str) else ("no", "yes")[value])


def _quantity(name: str, fields: Mapping[str, Any], observed: datetime) -> Reading | UnusedReading:
    sign = VITAL_SIGNS[name]
    sent = number(name, fields[name])
    unit = text(f"{name}_unit", fields) or sign.unit
    original = f"{sent:.10g} {unit}"[:_LONGEST_ORIGINAL]
    given = quantity(sign, sent, unit)
    if isinstance(given, Given):
        return _reading(name, given.value, observed, original, given.flags)
    return UnusedReading(name, given.reason, SOURCE, original, given.detail, observed, given.alarming)


def _reading(name: str, value: Value, observed: datetime, original: str, flags: tuple[str, ...] = ()) -> Reading:
    return Reading(name, value, observed, SOURCE, original, flags)


def _unused(reading: Reading, reason: NotUsed, detail: str = "", *, alarming: bool = False) -> UnusedReading:
    return UnusedReading(reading.name, reason, reading.source, reading.original, detail, reading.time, alarming)


def _clashing_pressures(used: dict[str, Reading]) -> Iterator[UnusedReading]:
    """Take both pressures out where the diastolic is not below the systolic: nobody can say which is wrong."""
    systolic, diastolic = used.get("systolic_bp"), used.get("diastolic_bp")
    if systolic is None or diastolic is None or float(diastolic.value) < float(systolic.value):
        return
    for reading in (systolic, diastolic):
        del used[reading.name]
        yield _unused(reading, NotUsed.INCONSISTENT, "diastolic is not below systolic", alarming=True)


def _settle_oxygen(used: dict[str, Reading]) -> Iterator[UnusedReading]:
    """Set the oxygen flag from a usable flow or concentration; take it out where these or the flag disagree."""
    said = used.pop("on_oxygen", None)
    statements = [] if said is None else [said]
    for name, air, remark in _OXYGEN_OVER:
        reading = used.get(name)
        if reading is not None:
            is_on = float(reading.value) > air
            statements.append(Reading("on_oxygen", is_on, reading.time, SOURCE, reading.original, (remark,)))
    if len({statement.value for statement in statements}) > 1:
        for statement in statements:
            yield _unused(statement, NotUsed.CONFLICTING, "oxygen flag, flow and concentration disagree")
    elif statements:
        used["on_oxygen"] = statements[0]
