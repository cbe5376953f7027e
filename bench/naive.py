"""The naive design, to compare with: fhir.resources, a DataFrame, predict_proba, shap, one ORM commit a request."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pandas as pd
import shap
import xgboost
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.patient import Patient
from flask import Flask, Response, jsonify, request
from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from cds_service.domain.features import FEATURES

_LOINC = {
    "8867-4": "heart_rate",
    "9279-1": "respiratory_rate",
    "8310-5": "temperature",
    "8480-6": "systolic_bp",
    "8462-4": "diastolic_bp",
    "59408-5": "spo2",
}


class Base(DeclarativeBase):
    """Declarative base of the naive table."""


class Row(Base):
    """One prediction, as an ORM object."""

    __tablename__ = "predictions"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    request: Mapped[str]
    reply: Mapped[str]


def create() -> Flask:
    """The application of the naive design; its database file is named by BENCH_DATABASE."""
    app = Flask("naive", static_folder=None)
    engine = create_engine(f"sqlite:///{os.environ['BENCH_DATABASE']}")
    Base.metadata.create_all(engine)
    model = xgboost.XGBClassifier()
    model.load_model(Path(os.environ["BENCH_MODEL"]))
    explainer = shap.TreeExplainer(model)

    @app.post("/naive")
    def naive() -> Response:
        document = request.get_json()
        frame = _frame(document["prefetch"])
        probability = float(model.predict_proba(frame)[0, 1])
        reasons = explainer.shap_values(frame)[0].tolist()
        reply = {"cards": [{"uuid": str(uuid4()), "summary": f"risk {probability:.2f}", "detail": str(reasons)}]}
        with Session(engine) as session:
            session.add(Row(id=reply["cards"][0]["uuid"], request=json.dumps(document), reply=json.dumps(reply)))
            session.commit()
        return jsonify(reply)

    return app


def _frame(prefetch: dict[str, object]) -> pd.DataFrame:
    patient = Patient.model_validate(prefetch["patient"])
    values: dict[str, float] = {"age": (datetime.now(UTC).date() - patient.birthDate).days / 365.25}
    values["sex"] = float(patient.gender == "male")
    for entry in Bundle.model_validate(prefetch["observations"]).entry:
        observation = entry.resource
        for part in [observation, *(observation.component or [])]:
            for coding in part.code.coding:
                if coding.code in _LOINC and part.valueQuantity is not None:
                    values[_LOINC[coding.code]] = float(part.valueQuantity.value)
    values["chronic_count"] = len(Bundle.model_validate(prefetch["conditions"]).entry)
    return pd.DataFrame([{name: values.get(name) for name in FEATURES}]).astype("float32")
