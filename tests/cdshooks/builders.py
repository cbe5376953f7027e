"""Predictions for the card tests: one patient in an emergency visit, changed where a test says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from cds_service.domain.patient import Identity, NotUsed, PatientSnapshot, Reading, UnusedReading
from cds_service.domain.prediction import Driver, EarlyWarning, Prediction, RiskEstimate, StateTag

AT = datetime(2026, 3, 14, 8, 40, tzinfo=UTC)

PARAMETERS = ("respiratory_rate", "spo2", "on_oxygen", "systolic_bp", "pulse", "consciousness", "temperature")
HEALTHY = {
    "respiratory_rate": 14.0,
    "spo2": 98.0,
    "on_oxygen": False,
    "systolic_bp": 124.0,
    "diastolic_bp": 78.0,
    "heart_rate": 72.0,
    "consciousness": "A",
    "temperature": 36.8,
}


def a_reading(name: str, value: float | str | bool, minutes: int = 15, **changes: Any) -> Reading:
    source = changes.pop("source", f"Observation/{name.replace('_', '-')}")
    return Reading(name, value, AT - timedelta(minutes=minutes), source, str(value), **changes)


def an_unused(name: str, reason: NotUsed, original: str = "", **changes: Any) -> UnusedReading:
    return UnusedReading(name, reason, changes.pop("source", "Observation/unused"), original, **changes)


def a_snapshot(*, values: dict[str, Any] | None = None, **changes: Any) -> PatientSnapshot:
    given = HEALTHY if values is None else values
    readings = {name: value if isinstance(value, Reading) else a_reading(name, value) for name, value in given.items()}
    snapshot = PatientSnapshot(
        at=AT, identity=Identity("1288992"), age_years=71.3, sex="male", readings=readings, encounter_class="EMER"
    )
    return replace(snapshot, **changes)


def a_news2(**changes: Any) -> EarlyWarning:
    points: dict[str, int | None] = dict.fromkeys(PARAMETERS, 0)
    points |= changes.pop("points", {})
    unknown = tuple(name for name, value in points.items() if value is None)
    lower = sum(value or 0 for value in points.values())
    news2 = EarlyWarning(
        points=points,
        lower=lower,
        upper=changes.pop("upper", lower),
        red=tuple(name for name, value in points.items() if value == 3),
        unknown=unknown,
        level=changes.pop("level", "low"),
        upper_level=changes.pop("upper_level", "low"),
        scale=1,
        spread_min=0.0,
        composed=False,
    )
    return replace(news2, **changes)


def a_risk(probability: float = 0.012, band: str = "low", drivers: tuple[Driver, ...] = ()) -> RiskEstimate:
    return RiskEstimate(probability, band, "full", 0.0203, -4.4, drivers)


def a_prediction(**changes: Any) -> Prediction:
    prediction = Prediction(
        id=UUID("0b6f1a6e-6f0e-4c5a-9a43-2f6f3f1d2c11"),
        snapshot=a_snapshot(),
        news2=a_news2(),
        news2_omitted=None,
        risk=a_risk(),
        risk_omitted=None,
        states=(StateTag("not-ill", ("rule",)),),
        would_help=(),
        model_version="1.0.0",
        site_hash="0" * 64,
    )
    return prediction._replace(**changes)
