"""Flat records (REST form, imported rows) to the canonical record: one name, one value, canonical units unless told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cds_service.domain.codes import (
    ICD10CM,
    SNOMED,
    CodeTables,
    chronic_category,
    complaint_group,
    is_chronic,
    is_palliative,
)
from cds_service.domain.facts import ScaleRecord, spo2_scale
from cds_service.domain.patient import Condition, Identity, PatientSnapshot
from cds_service.domain.policy import ReadingPolicy
from cds_service.domain.timeliness import Window, window_at
from cds_service.domain.vitals import VITAL_SIGNS
from cds_service.errors import BadRequest
from cds_service.records.fields import choice, flag, number, text
from cds_service.records.readings import QUANTITIES, SOURCE, read_readings

OLDEST_YEARS = 130.0  # chosen by us: no verified age is higher than 122
MOST_CHRONIC = 30.0
_MOST_CONDITIONS = 200

_ALIASES = {"blood_pressure": "systolic_bp", "blood_pressure_unit": "systolic_bp_unit"}
_SEXES = {"male": "male", "m": "male", "female": "female", "f": "female", "unknown": None, "other": None}
# Whose emergency it is: the form is a triage form, so a visit is an emergency unless it is said not to be.
_DEFAULT_CLASS = "EMER"
# v3-ActCode encounter classes (HL7 terminology), those a sender may name here.
_CLASSES = {
    name.lower(): name for name in ("EMER", "AMB", "IMP", "ACUTE", "NONAC", "OBSENC", "PRENC", "SS", "VR", "HH", "FLD")
}


def snapshot_from_record(
    record: Mapping[str, Any], *, at: datetime, policy: ReadingPolicy, tables: CodeTables
) -> PatientSnapshot:
    """The canonical record of one flat record; BadRequest names the field that cannot be read, never its value.

    A value that reads well but cannot be true, or is stale, is left out with its reason, not refused.
    """
    fields = _fields(record)
    encounter_class = choice("encounter_class", fields, _CLASSES) or _DEFAULT_CLASS
    observed = _moment("observed_at", fields, at, policy) or at
    used, not_used = read_readings(fields, observed=observed, at=at, policy=policy, encounter_class=encounter_class)
    conditions = _conditions(fields.get("conditions"), tables)
    scale, scale_remarks = _scale(fields, window_at(at, policy, encounter_class))
    return PatientSnapshot(
        at=at,
        identity=Identity(patient_id=text("patient_id", fields) or "", name=text("patient_name", fields) or ""),
        age_years=_age(fields),
        sex=choice("sex", fields, _SEXES),
        readings=used,
        not_used=not_used,
        conditions=conditions,
        chronic_count=_chronic_count(fields, conditions),
        pregnant=flag("pregnant", fields),
        spo2_scale=scale,
        encounter_class=encounter_class,
        complaint_group=complaint_group_of(text("complaint", fields), tables),
        arrived_by_ambulance=flag("ambulance", fields),
        remarks=scale_remarks,
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


def complaint_group_of(complaint: str | None, tables: CodeTables) -> str | None:
    """The group of a complaint sent as an ICD-10-CM or SNOMED CT code, else as words."""
    if complaint is None:
        return None
    return complaint_group(tables, [(ICD10CM, complaint), (SNOMED, complaint)], complaint)


def _chronic_count(fields: Mapping[str, Any], conditions: tuple[Condition, ...] | None) -> int | None:
    if "chronic_count" in fields:
        count = number("chronic_count", fields["chronic_count"])
        if count != int(count) or not 0 <= count <= MOST_CHRONIC:
            raise BadRequest(f"send a whole number from 0 to {MOST_CHRONIC:g}", where="chronic_count")
        return int(count)
    if conditions is None:
        return None
    return len({condition.chronic_category for condition in conditions} - {None})


def _age(fields: Mapping[str, Any]) -> float | None:
    if "age" not in fields:
        return None
    age = number("age", fields["age"])
    if not 0 <= age <= OLDEST_YEARS:
        raise BadRequest(f"send years from 0 to {OLDEST_YEARS:g}", where="age")
    return age


def _scale(fields: Mapping[str, Any], window: Window) -> tuple[int, tuple[str, ...]]:
    """Scale 2 only where the record says who decided it and when, as in FHIR and HL7 v2; 1, and why, if that is old."""
    scale = number("spo2_scale", fields.get("spo2_scale", 1))
    if scale not in (1, 2):
        raise BadRequest("send 1 or 2", where="spo2_scale")
    decided_by = text("spo2_scale_by", fields)
    decided_at = _moment("spo2_scale_at", fields, window.at, window.policy)
    if scale == 1:
        return 1, ()
    if decided_by is None or decided_at is None:
        raise BadRequest(
            "scale 2 is a clinician's decision: send who made it as spo2_scale_by and when as spo2_scale_at",
            where="spo2_scale",
        )
    return spo2_scale([ScaleRecord(decided_at, frozenset({2}), is_attributed=True)], window)


def _moment(name: str, fields: Mapping[str, Any], at: datetime, policy: ReadingPolicy) -> datetime | None:
    """A time that is not in the future; None when it was not given."""
    value = fields.get(name)
    if value is None:
        return None
    try:
        said = datetime.fromisoformat(value) if isinstance(value, str) else None
        moment = said.astimezone(at.tzinfo) if said is not None and said.tzinfo is not None else None
    except (ValueError, OverflowError):  # no time, or one that is in year 0 or 10000 in another zone
        moment = None
    if moment is None:
        raise BadRequest("send an ISO 8601 time with its zone", where=name)
    if moment > at + policy.future_tolerance:
        raise BadRequest("lies in the future", where=name)
    return moment


FIELDS: frozenset[str] = frozenset(VITAL_SIGNS) | {f"{name}_unit" for name in QUANTITIES} | {
    "age", "sex", "patient_id", "patient_name", "pregnant", "spo2_scale", "spo2_scale_by", "spo2_scale_at",
    "encounter_class", "ambulance", "complaint", "conditions", "chronic_count", "observed_at",
}  # fmt: skip
