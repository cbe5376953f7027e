"""Which way a laboratory result deviates: by its interpretation, else by the one reference range sent with it."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from cds_service.domain.finding_codes import DIRECTIONS
from cds_service.fhir.codes import keys_of
from cds_service.fhir.shapes import CodeableConcept, Statement
from cds_service.fhir.text import is_given

_CONCEPTS = msgspec.json.Decoder(list[CodeableConcept]).decode


class _Number(Struct, gc=False):
    """The number of a Quantity, and its unit in whichever member it was sent."""

    value: float | None = None
    unit: str | None = None
    code: str | None = None


class _Range(Struct, gc=False):
    """One reference range."""

    low: _Number | None = None
    high: _Number | None = None


_RANGES = msgspec.json.Decoder(list[_Range]).decode


def direction_of(statement: Statement) -> str | None:
    """`low`, `high` or `normal`; None where nothing says so, or two things are said."""
    try:
        said = {DIRECTIONS[code] for code in interpretations_of(statement) if code in DIRECTIONS}
        directions = said or _by_range(statement)
    except msgspec.ValidationError:
        return None
    return directions.pop() if len(directions) == 1 else None


def interpretations_of(statement: Statement) -> set[str]:
    """Codes of the interpretation; msgspec.ValidationError when it has another shape."""
    if not is_given(statement.interpretation):
        return set()
    return {code for concept in _CONCEPTS(statement.interpretation) for _, code in keys_of(concept)}


def _by_range(statement: Statement) -> set[str]:
    """Low, high or normal against the range; nothing where number, range or equal units are missing."""
    quantity = statement.value_quantity
    ranges = _RANGES(statement.reference_range) if is_given(statement.reference_range) else []
    if quantity is None or quantity.comparator is not None or len(ranges) != 1:
        return set()
    value = _number(quantity.value)
    low, high = ranges[0].low, ranges[0].high
    bounds = [bound for bound in (low, high) if bound is not None and bound.value is not None]
    units = {unit for unit in (quantity.unit, quantity.code) if unit}
    if value is None or not bounds or any(not units & {bound.unit, bound.code} for bound in bounds):
        return set()
    if low is not None and low.value is not None and value < low.value:
        return {"low"}
    if high is not None and high.value is not None and value > high.value:
        return {"high"}
    return {"normal"} if len(bounds) == 2 else set()


def _number(text: Raw) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
