"""Builders shared by the tests: each gives something ordinary, changed only where the test says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from cds_service.domain.codes import CodeTables
from cds_service.domain.patient import Identity, NotUsed, PatientSnapshot, Reading, UnusedReading, Value
from cds_service.domain.prediction import RiskEstimate
from cds_service.domain.vitals import VITAL_SIGNS

AT = datetime(2026, 3, 14, 8, 40, tzinfo=UTC)

# All seven inputs of NEWS2, each worth no points, and the diastolic pressure.
HEALTHY: Mapping[str, Value] = MappingProxyType(
    {
        "heart_rate": 72.0,
        "respiratory_rate": 14.0,
        "temperature": 36.8,
        "systolic_bp": 124.0,
        "diastolic_bp": 78.0,
        "spo2": 98.0,
        "on_oxygen": False,
        "consciousness": "A",
    }
)


def a_reading(name: str, value: Value, *, minutes_ago: float = 10, flags: tuple[str, ...] = ()) -> Reading:
    """A reading in canonical units, taken shortly before AT."""
    return Reading(name, value, AT - timedelta(minutes=minutes_ago), f"Observation/{name}", str(value), flags)


def an_unused(name: str, reason: NotUsed = NotUsed.IMPLAUSIBLE, *, alarming: bool = False) -> UnusedReading:
    """A reading left out of every score."""
    return UnusedReading(name, reason, f"Observation/{name}", alarming=alarming)


def a_snapshot(**given: Any) -> PatientSnapshot:
    """A healthy adult in an emergency visit but for what is given.

    Names of vital signs take a value, a Reading, or None for "not measured"; other names are those of the record.
    """
    readings = {name: a_reading(name, value) for name, value in HEALTHY.items()}
    for name in VITAL_SIGNS.keys() & given.keys():
        value = given.pop(name)
        readings.pop(name, None)
        if value is not None:
            readings[name] = value if isinstance(value, Reading) else a_reading(name, value)
    snapshot = PatientSnapshot(
        at=AT,
        identity=Identity("1288992"),
        age_years=45.0,
        sex="male",
        readings=MappingProxyType(readings),
        encounter_class="EMER",
    )
    return replace(snapshot, **given)


def a_risk(band: str = "low", *, probability: float = 0.012) -> RiskEstimate:
    """A risk estimate without drivers."""
    return RiskEstimate(probability, band, "vitals", 0.0203, -4.4, ())


def code_tables(**given: Any) -> CodeTables:
    """Code tables that know nothing but what is given."""
    known: dict[str, Any] = {"chronic": {}, "categories": {}, "snomed_to_icd10": {}, "complaints": {}}
    return CodeTables(**{"version": "test", **known, "complaint_words": {}, **given})
