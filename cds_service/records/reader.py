"""Flat records (REST form, imported rows) to the canonical record: one name, one value, canonical units unless told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from cds_service.domain.codes import ICD10CM, CodeTables, chronic_category, complaint_group, is_chronic, is_palliative
from cds_service.domain.patient import Condition, Identity, NotUsed, PatientSnapshot, Reading, UnusedReading, Value
from cds_service.domain.policy import ReadingPolicy
from cds_service.domain.units import UnknownUnit, convert, is_plausible
from cds_service.domain.vitals import VITAL_SIGNS
from cds_service.errors import BadRequest

SOURCE = "form"
OLDEST_YEARS = 130.0  # chosen by us: no verified age is higher than 122
_LONGEST_TEXT = 200
_MOST_CONDITIONS = 200

_ALIASES = {"blood_pressure": "systolic_bp"}
_QUANTITIES = tuple(name for name, sign in VITAL_SIGNS.items() if sign.kind == "quantity")
_WORDS = {
    "true": True, "yes": True, "1": True, "si": True, "sí": True,
    "false": False, "no": False, "0": False,
}  # fmt: skip
_SEXES = {"male": "male", "m": "male", "female": "female", "f": "female", "unknown": None, "other": None, "": None}
_CONSCIOUSNESS = {
    "a": "A", "alert": "A", "c": "C", "confusion": "C", "v": "V", "voice": "V",
    "p": "P", "pain": "P", "u": "U", "unresponsive": "U",
}  # fmt: skip
_BLOOD_GROUPS = frozenset(f"{abo}{rh}" for abo in ("A", "B", "AB", "O") for rh in ("+", "-", ""))
# Whose emergency it is: the form is a triage form, so a visit is an emergency unless it is said not to be.
_DEFAULT_CLASS = "EMER"
# v3-ActCode encounter classes (HL7 terminology), those a sender may name here.
ENCOUNTER_CLASSES = frozenset({"EMER", "AMB", "IMP", "ACUTE", "NONAC", "OBSENC", "PRENC", "SS", "VR", "HH", "FLD"})


def snapshot_from_record(
    record: Mapping[str, Any], *, at: datetime, policy: ReadingPolicy, tables: CodeTables
) -> PatientSnapshot:
    """The canonical record of one flat record; BadRequest names the field that cannot be read, never its value.

    A value that reads well but cannot be true, or is stale, is left out with its reason, not refused.
    """
    fields = _fields(record)
    encounter_class = _choice("encounter_class", fields, {name.lower(): name for name in ENCOUNTER_CLASSES})
    observed = _observed_at(fields.get("observed_at"), at)
    statements = list(_statements(fields, observed))
    used, not_used = _sorted_out(statements, at=at, policy=policy, encounter_class=encounter_class or _DEFAULT_CLASS)
    conditions = _conditions(fields.get("conditions"), tables)
    complaint = _text("complaint", fields)
    return PatientSnapshot(
        at=at,
        identity=Identity(patient_id=_text("patient_id", fields) or ""),
        age_years=_age(fields),
        sex=_choice("sex", fields, _SEXES),
        readings=used,
        not_used=not_used,
        conditions=conditions,
        chronic_count=_chronic_count(fields, conditions),
        pregnant=_flag("pregnant", fields),
        spo2_scale=_scale(fields),
        encounter_class=encounter_class or _DEFAULT_CLASS,
        complaint_group=complaint_group(tables, [(ICD10CM, complaint)], complaint) if complaint else None,
        arrived_by_ambulance=_flag("ambulance", fields),
    )


def _fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were given, under their own names; an empty text is not given."""
    given: dict[str, Any] = {}
    for key, value in record.items():
        name = _ALIASES.get(key, key)
        if name not in FIELDS:
            raise BadRequest("no such field", where=_shown(key))
        if value is None or value == "":
            continue
        if name in given:
            raise BadRequest("given twice, under two names", where=name)
        given[name] = value
    return given


def _shown(key: str) -> str:
    return "".join(c for c in key[:40] if c.isalnum() or c in "_-") or "a field"


def _statements(fields: Mapping[str, Any], observed: datetime) -> Iterator[Reading | UnusedReading]:
    for name in _QUANTITIES:
        if name in fields:
            yield _quantity(name, fields, observed)
        elif f"{name}_unit" in fields:
            raise BadRequest("a unit without its value", where=f"{name}_unit")
    consciousness = _choice("consciousness", fields, _CONSCIOUSNESS)
    if consciousness is not None:
        yield _reading("consciousness", consciousness, observed, consciousness)
    on_oxygen = _on_oxygen(fields)
    if on_oxygen is not None:
        yield _reading("on_oxygen", on_oxygen, observed, "yes" if on_oxygen else "no")
    group = _text("blood_group", fields)
    if group is not None:
        if group.upper() not in _BLOOD_GROUPS:
            raise BadRequest("send A, B, AB or O, with + or -", where="blood_group")
        yield _reading("blood_group", group.upper(), observed, group.upper())


def _quantity(name: str, fields: Mapping[str, Any], observed: datetime) -> Reading | UnusedReading:
    number = _number(name, fields[name])
    unit = _text(f"{name}_unit", fields) or VITAL_SIGNS[name].unit
    original = f"{number:g} {unit}"
    try:
        value = convert(name, number, unit)
    except UnknownUnit:
        return UnusedReading(name, NotUsed.UNKNOWN_UNIT, SOURCE, original[:40], unit[:40], observed)
    if not is_plausible(name, value):
        sign = VITAL_SIGNS[name]
        detail = f"outside {sign.low:g} to {sign.high:g} {sign.unit}"
        return UnusedReading(name, NotUsed.IMPLAUSIBLE, SOURCE, original, detail, observed, name in _ALARMING)
    return _reading(name, value, observed, original)


_ALARMING = frozenset(
    {"heart_rate", "pulse_rate", "respiratory_rate", "spo2", "systolic_bp", "diastolic_bp", "temperature"}
)


def _reading(name: str, value: Value, observed: datetime, original: str) -> Reading:
    return Reading(name, value, observed, SOURCE, original)


def _on_oxygen(fields: Mapping[str, Any]) -> bool | None:
    """What was said, else what flow and concentration say: any flow, or more oxygen than air holds (21 %)."""
    said = _flag("on_oxygen", fields)
    implied = [
        _number(name, fields[name]) > least
        for name, least in (("oxygen_flow", 0.0), ("oxygen_concentration", 21.0))
        if name in fields
    ]
    if said is False and any(implied):
        raise BadRequest("says air, but an oxygen flow or concentration is given", where="on_oxygen")
    return said if said is not None or not implied else any(implied)


def _sorted_out(
    statements: list[Reading | UnusedReading], *, at: datetime, policy: ReadingPolicy, encounter_class: str
) -> tuple[dict[str, Reading], tuple[UnusedReading, ...]]:
    """Readings in time and consistent, by name; the others with their reasons."""
    used: dict[str, Reading] = {}
    left_out = [statement for statement in statements if isinstance(statement, UnusedReading)]
    for reading in (statement for statement in statements if isinstance(statement, Reading)):
        if at - reading.time > policy.age_limit(reading.name, encounter_class):
            left_out.append(_unused(reading, NotUsed.STALE))
        else:
            used[reading.name] = reading
    systolic, diastolic = used.get("systolic_bp"), used.get("diastolic_bp")
    if systolic is not None and diastolic is not None and float(diastolic.value) >= float(systolic.value):
        left_out += [_unused(used.pop(name), NotUsed.INCONSISTENT) for name in ("systolic_bp", "diastolic_bp")]
    return used, tuple(left_out)


def _unused(reading: Reading, reason: NotUsed) -> UnusedReading:
    return UnusedReading(reading.name, reason, reading.source, reading.original, time=reading.time)


def _conditions(value: Any, tables: CodeTables) -> tuple[Condition, ...] | None:
    """Recorded ICD-10-CM codes; None when none were sent, which is not the same as an empty list."""
    if value is None:
        return None
    codes = value.split(",") if isinstance(value, str) else value
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise BadRequest("send a list of ICD-10-CM codes", where="conditions")
    if len(codes) > _MOST_CONDITIONS:
        raise BadRequest(f"more than {_MOST_CONDITIONS} codes", where="conditions")
    return tuple(_condition(code.strip(), tables) for code in codes if code.strip())


def _condition(code: str, tables: CodeTables) -> Condition:
    if len(code) > 8 or not code.replace(".", "").isalnum() or not code.isascii():
        raise BadRequest("not an ICD-10-CM code", where="conditions")
    return Condition(
        system=ICD10CM,
        code=code,
        source=SOURCE,
        chronic=is_chronic(tables, ICD10CM, code),
        chronic_category=chronic_category(tables, ICD10CM, code),
        palliative=is_palliative(ICD10CM, code),
    )


def _chronic_count(fields: Mapping[str, Any], conditions: tuple[Condition, ...] | None) -> int | None:
    if "chronic_count" in fields:
        count = _number("chronic_count", fields["chronic_count"])
        if count != int(count) or not 0 <= count <= 30:
            raise BadRequest("send a whole number from 0 to 30", where="chronic_count")
        return int(count)
    if conditions is None:
        return None
    return len({condition.chronic_category for condition in conditions} - {None})


def _age(fields: Mapping[str, Any]) -> float | None:
    if "age" not in fields:
        return None
    age = _number("age", fields["age"])
    if not 0 <= age <= OLDEST_YEARS:
        raise BadRequest(f"send years from 0 to {OLDEST_YEARS:g}", where="age")
    return age


def _scale(fields: Mapping[str, Any]) -> int:
    """Scale 2 only where the record says that a clinician decided it."""
    scale = _number("spo2_scale", fields.get("spo2_scale", 1))
    if scale not in (1, 2):
        raise BadRequest("send 1 or 2", where="spo2_scale")
    return int(scale)


def _observed_at(value: Any, at: datetime) -> datetime:
    if value is None:
        return at
    try:
        said = datetime.fromisoformat(value) if isinstance(value, str) else None
        observed = said.astimezone(at.tzinfo) if said is not None and said.tzinfo is not None else None
    except (ValueError, OverflowError):  # no time, or one that is in year 0 or 10000 in another zone
        observed = None
    if observed is None:
        raise BadRequest("send an ISO 8601 time with its zone", where="observed_at")
    if observed > at + timedelta(minutes=5):
        raise BadRequest("lies in the future", where="observed_at")
    return observed


def _number(name: str, value: Any) -> float:
    """A finite number; text may use a decimal comma."""
    if isinstance(value, str) and value.isascii() and len(value) <= 20:
        try:
            value = float(value.strip().replace(",", "."))
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise BadRequest("not a number", where=name)
    return float(value)


def _text(name: str, fields: Mapping[str, Any]) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or "\0" in value:
        raise BadRequest(f"not a text of at most {_LONGEST_TEXT} characters", where=name)
    return value.strip() or None


def _flag(name: str, fields: Mapping[str, Any]) -> bool | None:
    value = fields.get(name)
    if value is None or isinstance(value, bool):
        return value
    said = _WORDS.get(str(value).lower())
    if said is None:
        raise BadRequest("send true or false", where=name)
    return said


def _choice(name: str, fields: Mapping[str, Any], choices: Mapping[str, str | None]) -> str | None:
    text = _text(name, fields)
    if text is None:
        return None
    if text.lower() not in choices:
        raise BadRequest(f"send one of {', '.join(sorted(filter(None, choices)))}", where=name)
    return choices[text.lower()]


FIELDS: frozenset[str] = frozenset(VITAL_SIGNS) | {f"{name}_unit" for name in _QUANTITIES} | {
    "age", "sex", "patient_id", "pregnant", "spo2_scale", "encounter_class", "ambulance", "complaint",
    "conditions", "chronic_count", "observed_at",
}  # fmt: skip
