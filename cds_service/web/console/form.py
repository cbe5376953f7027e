"""The triage form as a table: what is asked, in which order, and the record it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cds_service.domain.patient import Identity
from cds_service.errors import BadRequest
from cds_service.i18n import msgid
from cds_service.records.fields import text

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
    """One question of the form; `kind` is text, date, number, choice (buttons), list (a menu) or tick (a box)."""

    name: str
    label: str
    kind: str = "number"
    hint: str = ""


# What tells a patient from another: two of them, or it is said that nobody knows who it is.
IDENTIFIERS = ("patient_id", "patient_name", "birth_date")
IDENTITY_UNKNOWN = "identity_unknown"
PATIENT = (
    Field("patient_id", msgid("record number"), "text"),
    Field("patient_name", msgid("name"), "text"),
    Field("birth_date", msgid("birth date"), "date"),
    Field(
        IDENTITY_UNKNOWN, msgid("identity not known (emergency)"), "tick", msgid("else two of these three are needed")
    ),
    Field("age", msgid("age"), hint=msgid("in years; taken from the birth date when empty")),
    Field("sex", msgid("sex"), "choice"),
    Field("pregnant", msgid("pregnant"), "choice"),
)
VITALS = (
    Field("respiratory_rate", msgid("breathing rate")),
    Field("spo2", "SpO2"),
    Field("on_oxygen", msgid("oxygen"), "choice"),
    Field("systolic_bp", msgid("systolic pressure")),
    Field("diastolic_bp", msgid("diastolic pressure"), hint=msgid("below the systolic; no point of NEWS2")),
    Field("pulse_rate", msgid("pulse")),
    Field("consciousness", msgid("consciousness"), "choice", msgid("ask about new confusion")),
    Field("temperature", msgid("temperature")),
)
VISIT = (
    Field("complaint", msgid("chief complaint"), "text", msgid("in a few words, English or Spanish")),
    Field("ambulance", msgid("arrived by ambulance"), "choice"),
    Field("spo2_scale", msgid("SpO2 scale"), "choice", msgid("scale 2 only by a recorded decision")),
    Field("spo2_scale_by", msgid("scale 2 decided by"), "text"),
)
# Facts of the record that NEWS2 and the risk model do not read (domain/early_warning.py, domain/features.py).
UNSCORED = (
    Field("pain", msgid("pain"), hint=msgid("0 none, 10 the worst")),
    Field("blood_group", msgid("blood group"), "list"),
    Field("exercise_days", msgid("days of exercise a month")),
)
SECTIONS = (
    (msgid("Patient"), PATIENT),
    (msgid("Vital signs"), VITALS),
    (msgid("Visit"), VISIT),
    (msgid("Stored, used by no score"), UNSCORED),
)
FIELDS: Mapping[str, Field] = {field.name: field for _, fields in SECTIONS for field in fields}
NAMES = frozenset(FIELDS) | {f"{name}_unit" for name in UNITS}

_IDENTITY = ("patient_name", "birth_date", IDENTITY_UNKNOWN)


def record_of(given: Mapping[str, str], *, today: date) -> tuple[dict[str, Any], Identity]:
    """The flat record the form asks to be scored, and whose it is. An empty age follows from the birth date."""
    born = birth_date(given, today)
    record: dict[str, Any] = {name: value for name, value in given.items() if name not in _IDENTITY}
    if born is not None and "age" not in record:
        record["age"] = years_since(born, today)
    for name in UNITS:
        if name not in record:
            record.pop(f"{name}_unit", None)
    identity = Identity(
        patient_id=text("patient_id", given) or "", name=text("patient_name", given) or "", birth_date=born
    )
    return record, identity


def birth_date(given: Mapping[str, str], today: date) -> date | None:
    """The day the patient was born, None where it is not given; BadRequest for what is no day a patient can have."""
    value = given.get("birth_date")
    if not value:
        return None
    try:
        born = date.fromisoformat(value)
    except ValueError:
        raise BadRequest("send a date as YYYY-MM-DD", where="birth_date") from None
    if not date(1890, 1, 1) <= born <= today:
        raise BadRequest("lies in the future, or too far back", where="birth_date")
    return born


def is_identified(given: Mapping[str, str]) -> bool:
    """Whether two identifiers are given."""
    return sum(name in given for name in IDENTIFIERS) > 1


def years_since(born: date, today: date) -> int:
    """Completed years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def unit_sign(unit: str) -> str:
    """A unit as people write it."""
    return UNIT_SIGNS.get(unit, unit)
