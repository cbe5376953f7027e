"""A prediction as plain JSON: what the REST addresses answer, and nothing that names the patient."""

from __future__ import annotations

from typing import Any

from cds_service.domain.patient import Reading, UnusedReading
from cds_service.domain.prediction import Driver, EarlyWarning, Prediction, RiskEstimate, StateEstimate
from cds_service.domain.vitals import VITAL_SIGNS


def prediction_document(prediction: Prediction) -> dict[str, Any]:
    """The whole prediction: score, risk, states, what was used, what was not, what would help."""
    snapshot = prediction.snapshot
    return {
        "id": str(prediction.id),
        "at": snapshot.at.isoformat(),
        "news2": _news2(prediction.news2) if prediction.news2 else {"omitted": prediction.news2_omitted},
        "risk": _risk(prediction.risk) if prediction.risk else {"omitted": prediction.risk_omitted},
        "states": [
            {"state": tag.state, "basis": list(tag.basis), "evidence": list(tag.evidence)} for tag in prediction.states
        ],
        "state_model": _state_model(prediction.state_model),
        "used": [_used(reading) for reading in snapshot.readings.values()],
        "not_used": [_not_used(reading) for reading in snapshot.not_used],
        "would_help": list(prediction.would_help),
        "remarks": list(snapshot.remarks),
        "model": {"task": "risk", "version": prediction.model_version},
        "site_hash": prediction.site_hash,
        "disclaimer": "Demonstration, not for clinical use.",
    }


def explanation_document(prediction: Prediction) -> dict[str, Any]:
    """Why: every input's exact SHAP value in log-odds, and the points of NEWS2."""
    risk = prediction.risk
    return {
        "id": str(prediction.id),
        "unit": "log-odds",
        "drivers": [_driver(driver) for driver in risk.drivers] if risk else [],
        "omitted": prediction.risk_omitted,
        "news2_points": dict(prediction.news2.points) if prediction.news2 else {},
        "model": {"task": "risk", "version": prediction.model_version},
    }


def _news2(news2: EarlyWarning) -> dict[str, Any]:
    return {
        "score": news2.lower if news2.complete else None,
        "lower": news2.lower,
        "upper": news2.upper,
        "level": news2.level,
        "upper_level": news2.upper_level,
        "points": dict(news2.points),
        "red": list(news2.red),
        "unknown": list(news2.unknown),
        "scale": news2.scale,
        "spread_min": news2.spread_min,
        "composed": news2.composed,
        "remarks": list(news2.remarks),
    }


def _risk(risk: RiskEstimate) -> dict[str, Any]:
    return {
        "outcome": "ICU admission from this visit",
        "probability": risk.probability,
        "band": risk.band,
        "tier": risk.tier,
        "base_rate": risk.base_rate,
        "drivers": [_driver(driver) for driver in risk.drivers],
    }


def _state_model(estimate: StateEstimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {
        "version": estimate.version,
        "probabilities": dict(estimate.probabilities),
        "likely": list(estimate.likely),
        "coverage": estimate.coverage,
        "synthetic": estimate.synthetic,
    }


def _driver(driver: Driver) -> dict[str, Any]:
    return {"feature": driver.feature, "value": driver.value, "contribution": driver.contribution}


def _used(reading: Reading) -> dict[str, Any]:
    return {
        "name": reading.name,
        "value": reading.value,
        "unit": VITAL_SIGNS[reading.name].unit,
        "time": reading.time.isoformat(),
        "source": reading.source,
        "original": reading.original,
        "flags": list(reading.flags),
    }


def _not_used(reading: UnusedReading) -> dict[str, Any]:
    return {
        "name": reading.name,
        "reason": reading.reason.value,
        "detail": reading.detail,
        "original": reading.original,
        "source": reading.source,
        "time": reading.time.isoformat() if reading.time else None,
        "alarming": reading.alarming,
    }
