"""The triage form as a table: what is asked, in which order, and which numbers are asked about twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cds_service.domain.patient import Identity
from cds_service.domain.statements import Given, quantity
from cds_service.domain.vitals import USUAL, VITAL_SIGNS
from cds_service.errors import BadRequest
from cds_service.i18n import msgid
from cds_service.records.fields import number, text

# Units a person may choose; the first is the form's own.
UNITS: Mapping[str, tuple[str, ...]] = {"temperature": ("Cel", "[degF]")}
UNIT_SIGNS: Mapping[str, str] = {
    "Cel": "°C", "[degF]": "°F", "mm[Hg]": "mmHg", "{score}": "0–10", "d/mo": "",
}  # fmt: skip
BLOOD_GROUPS = ("A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-")
CHOICES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "sex": (("female", msgid("female")), ("male", msgid("male")), ("unknown", msgid("unknown"))),
    "pregnant": (("no", msgid("no")), ("yes", msgid("yes"))),
    "on_oxygen": (("no", msgid("breathing room air")), ("yes", msgid("on oxygen"))),
    "consciousness": (
        ("A", msgid("alert (A)")),
        ("C", msgid("new confusion (C)")),
        ("V", msgid("responds to voice (V)")),
        ("P", msgid("responds to pain (P)")),
        ("U", msgid("unresponsive (U)")),
    ),
    "ambulance": (("no", msgid("no")), ("yes", msgid("yes"))),
    "blood_group": tuple((group, group) for group in BLOOD_GROUPS),
    "spo2_scale": (("1", "1"), ("2", "2")),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One question of the form; `kind` is text, date, number or choice."""

    name: str
    label: str
    kind: str = "number"
    hint: str = ""


PATIENT = (
    Field("patient_id", msgid("record number"), "text"),
    Field("patient_name", msgid("name"), "text"),
    Field("birth_date", msgid("birth date"), "date"),
    Field("age", msgid("age"), hint=msgid("in years; taken from the birth date when empty")),
    Field("sex", msgid("sex"), "choice"),
    Field("pregnant", msgid("pregnant"), "choice"),
)
VITALS = (
    Field("respiratory_rate", msgid("breathing rate")),
    Field("spo2", "SpO2"),
    Field("on_oxygen", msgid("oxygen"), "choice"),
    Field("systolic_bp", msgid("systolic pressure")),
    Field("diastolic_bp", msgid("diastolic pressure")),
    Field("pulse_rate", msgid("pulse")),
    Field("consciousness", msgid("consciousness"), "choice", msgid("ask about new confusion")),
    Field("temperature", msgid("temperature")),
    Field("pain", msgid("pain")),
)
VISIT = (
    Field("complaint", msgid("chief complaint"), "text", msgid("in a few words, English or Spanish")),
    Field("ambulance", msgid("arrived by ambulance"), "choice"),
    Field("blood_group", msgid("blood group"), "choice"),
    Field("exercise_days", msgid("days of exercise a month")),
    Field("spo2_scale", msgid("SpO2 scale"), "choice", msgid("scale 2 only by a recorded decision")),
    Field("spo2_scale_by", msgid("scale 2 decided by"), "text"),
)
SECTIONS = ((msgid("Patient"), PATIENT), (msgid("Vital signs"), VITALS), (msgid("Visit"), VISIT))
NAMES = frozenset(field.name for _, fields in SECTIONS for field in fields) | {f"{name}_unit" for name in UNITS}

_IDENTITY = ("patient_name", "birth_date")


@dataclass(frozen=True, slots=True)
class Doubt:
    """A number that is asked about before it is taken.

    An impossible one is never scored; an alarming one may be the emergency itself.
    """

    name: str
    is_impossible: bool
    is_alarming: bool = False


def doubts(given: Mapping[str, str]) -> tuple[Doubt, ...]:
    """The numbers outside what is plausible, or usual; BadRequest for what is no number."""
    found = []
    for name, value in given.items():
        sign = VITAL_SIGNS.get(name)
        if sign is None or sign.kind != "quantity":
            continue
        unit = given.get(f"{name}_unit", sign.unit)
        if unit not in UNITS.get(name, (sign.unit,)):
            raise BadRequest("send one of the units of the form", where=f"{name}_unit")
        said = quantity(sign, number(name, value), unit)
        low, high = USUAL.get("heart_rate" if name == "pulse_rate" else name, (sign.low, sign.high))
        if not isinstance(said, Given):
            found.append(Doubt(name, True, said.alarming))
        elif not low <= float(said.value) <= high:
            found.append(Doubt(name, False))
    return tuple(found)


def record_of(given: Mapping[str, str], *, today: date) -> tuple[dict[str, Any], Identity]:
    """The flat record the form asks to be scored, and whose it is. An empty age follows from the birth date."""
    born = _birth_date(given.get("birth_date"), today)
    record: dict[str, Any] = {name: value for name, value in given.items() if name not in _IDENTITY}
    if born is not None and "age" not in record:
        record["age"] = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    for name in UNITS:
        if name not in record:
            record.pop(f"{name}_unit", None)
    identity = Identity(
        patient_id=text("patient_id", given) or "", name=text("patient_name", given) or "", birth_date=born
    )
    return record, identity


def unit_sign(unit: str) -> str:
    """A unit as people write it."""
    return UNIT_SIGNS.get(unit, unit)


def _birth_date(value: str | None, today: date) -> date | None:
    if not value:
        return None
    try:
        born = date.fromisoformat(value)
    except ValueError:
        raise BadRequest("send a date as YYYY-MM-DD", where="birth_date") from None
    if not date(1890, 1, 1) <= born <= today:
        raise BadRequest("lies in the future, or too far back", where="birth_date")
    return born
