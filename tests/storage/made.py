"""Predictions as the service stores them, for what is counted of days."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cds_service.domain.patient import Identity
from cds_service.domain.phenotype import Candidate, Phenotype, Ranking, RareAssessment
from cds_service.domain.prediction import Prediction, StateTag
from cds_service.services.stored import outcome_bytes, snapshot_bytes
from cds_service.storage.prediction_log import PredictionEntry, new_prediction_id
from tests.factories import a_risk, a_snapshot
from tests.storage.builders import an_entry


def made(at: datetime, band: str = "low", *, patient: str = "p-1", probability: float = 0.012, **more: Any) -> Any:
    """A prediction of vital signs, answered with one card; what is not of its row is of its snapshot."""
    row = {name: more.pop(name) for name in PredictionEntry.__struct_fields__ if name in more}
    states = more.pop("states", ("mild",))
    snapshot = a_snapshot(**more)
    prediction = Prediction(
        id=new_prediction_id(at),
        snapshot=snapshot,
        news2=None,
        news2_omitted="not-an-adult",
        risk=None if band == "child" else a_risk(band, probability=probability),
        risk_omitted="child" if band == "child" else None,
        states=tuple(StateTag(state, ("score",)) for state in states),
        would_help=(),
        model_version="1.0.0",
        site_hash="5" * 64,
    )
    values = {
        "id": prediction.id,
        "created_at": at,
        "patient": Identity(patient),
        "reply": b'{"cards":[{"indicator":"warning"}]}',
        "snapshot": snapshot_bytes(snapshot),
        "outcome": outcome_bytes(prediction),
    }
    return an_entry(**{**values, **row})


def ranked(at: datetime, *diseases: str, **row: Any) -> Any:
    """A ranking of these diseases, best first."""
    candidates = tuple(Candidate(one, one, (), "low", 1.0, (), (), (), ()) for one in diseases)
    ranking = Ranking(candidates, (), 0.5, "medium", 3, None, "1.0.0", "2026-01")
    assessment = RareAssessment(new_prediction_id(at), a_snapshot(), Phenotype(()), ranking, "5" * 64)
    values = {"service": "rare-disease", "outcome": outcome_bytes(assessment), "id": assessment.id, "created_at": at}
    return an_entry(**{**values, "snapshot": snapshot_bytes(assessment.snapshot), **row})
