"""Predictions as FHIR R4B: a RiskAssessment, and with it a GuidanceResponse that asks for what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid5

from cds_service.domain.prediction import EarlyWarning, Prediction, RiskEstimate, StateEstimate
from cds_service.domain.vital_codes import LOINC, SNOMED
from cds_service.fhir.notes import DISCLAIMER, notes, said
from cds_service.i18n import Translate, msgid, translator
from cds_service.state_words import CLASSES, by_probability, learnt_from, likelihood, likely_set
from cds_service.vocabulary import NAMES

Json = dict[str, Any]

# Codes as published: SNOMED CT 305351004 Admission to intensive care unit (seen in Synthea's encounters),
# 1104051000000101 NEWS2 total score (UK extension, seen in the Welsh emergency department guide).
_ICU_ADMISSION = {"system": SNOMED, "code": "305351004", "display": "Admission to intensive care unit"}
_NEWS2_TOTAL = {"system": SNOMED, "code": "1104051000000101"}
_RISK_PROBABILITY = "http://terminology.hl7.org/CodeSystem/risk-probability"

# What would settle an input, as a query a FHIR server can run: resource type, and the codes to look for.
_WANTED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "consciousness": ((LOINC, "80288-4"), (LOINC, "67775-7"), (SNOMED, "1104441000000107")),
    "on_oxygen": ((LOINC, "3151-8"), (LOINC, "3150-0"), (SNOMED, "371825009"), (SNOMED, "722742002")),
    "respiratory_rate": ((LOINC, "9279-1"),),
    "spo2": ((LOINC, "59408-5"), (LOINC, "2708-6")),
    "systolic_bp": ((LOINC, "85354-9"), (LOINC, "8480-6")),
    "pulse": ((LOINC, "8867-4"),),
    "temperature": ((LOINC, "8310-5"),),
}
_MODULE = "urn:cds-service:vitals-risk"
_LITERAL = re.compile(r"[A-Za-z]{1,40}/[A-Za-z0-9\-.]{1,64}")

_METHOD = msgid("NEWS2 (Royal College of Physicians, 2017) and ICU risk model")


def risk_assessment(prediction: Prediction, *, language: str, subject: str | None = None) -> Json:
    """The prediction as a RiskAssessment; `subject` is a reference, by default to the snapshot's own patient."""
    t = translator(language)
    snapshot = prediction.snapshot
    resource: Json = {
        "resourceType": "RiskAssessment",
        "id": str(prediction.id),
        "language": language,
        "status": "final",
        "method": {"text": f"{t(_METHOD)} {prediction.model_version}"},
        "subject": _subject(prediction, subject),
        "occurrenceDateTime": snapshot.at.isoformat(),
        "basis": _basis(prediction),
        "prediction": _predictions(prediction, t),
        "note": [{"text": text} for text in notes(prediction, t)],
    }
    return {name: value for name, value in resource.items() if value}


def guidance_response(prediction: Prediction, *, language: str, subject: str | None = None) -> Json:
    """What the assessment still wants: a GuidanceResponse with a data requirement for each missing input."""
    resource: Json = {
        "resourceType": "GuidanceResponse",
        "id": str(uuid5(prediction.id, "guidance")),
        "language": language,
        "moduleUri": _MODULE,
        "status": "data-requested" if prediction.would_help else "success",
        "subject": _subject(prediction, subject),
        "occurrenceDateTime": prediction.snapshot.at.isoformat(),
        "dataRequirement": [_requirement(name) for name in prediction.would_help],
        "note": [{"text": translator(language)(DISCLAIMER)}],
    }
    return {name: value for name, value in resource.items() if value}


def assess_bundle(prediction: Prediction, *, language: str, subject: str | None = None) -> Json:
    """The answer to `$assess`: a collection of RiskAssessment and GuidanceResponse."""
    resources = (
        risk_assessment(prediction, language=language, subject=subject),
        guidance_response(prediction, language=language, subject=subject),
    )
    return collection(resources, prediction.snapshot.at)


def collection(resources: Iterable[Json], at: datetime) -> Json:
    """A Bundle of resources made here at one moment."""
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": at.isoformat(),
        "entry": [{"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource} for resource in resources],
    }


def subject_of(patient_id: str) -> Json:
    """A reference to the patient, or that none was stored."""
    if not patient_id:
        return {"display": "patient not stored"}
    return {"reference": patient_id if ":" in patient_id else f"Patient/{patient_id}"}


def reference_of(source: str) -> Json:
    """A source as a reference where it is one, else as text."""
    return {"reference": source} if _LITERAL.fullmatch(source) else {"display": source}


def _subject(prediction: Prediction, subject: str | None) -> Json:
    return {"reference": subject} if subject else subject_of(prediction.snapshot.identity.patient_id)


def _basis(prediction: Prediction) -> list[Json]:
    sources = dict.fromkeys(reading.source for reading in prediction.snapshot.readings.values())
    return [reference_of(source) for source in sources]


def _predictions(prediction: Prediction, t: Translate) -> list[Json]:
    found = []
    if prediction.risk is not None:
        found.append(_risk(prediction.risk, prediction.snapshot.at.isoformat(), t))
    if prediction.news2 is not None:
        found.append(_news2(prediction.news2, t))
    if prediction.state_model is not None:
        found += _states(prediction.state_model, t)
    return found


def _states(estimate: StateEstimate, t: Translate) -> list[Json]:
    """One entry for each of the five states; the rationale says whether it is in the conformal set."""
    about = f"{learnt_from(estimate, estimate.version, t)} {likely_set(estimate, t)}"
    return [
        {
            "outcome": {"text": t(CLASSES[name])},
            "probabilityDecimal": round(probability, 4),
            "qualitativeRisk": {"text": likelihood(probability, t)},
            "rationale": about,
        }
        for name, probability in by_probability(estimate)
    ]


def _risk(risk: RiskEstimate, at: str, t: Translate) -> Json:
    drivers = ", ".join(f"{said(driver.feature, NAMES, t)} {driver.contribution:+.2f}" for driver in risk.drivers[:5])
    found: Json = {
        "outcome": {"coding": [_ICU_ADMISSION], "text": t(msgid("ICU admission from this visit"))},
        "probabilityDecimal": round(risk.probability, 4),
        "qualitativeRisk": {"coding": [{"system": _RISK_PROBABILITY, "code": risk.band}], "text": t(risk.band)},
        "whenPeriod": {"start": at},
    }
    if risk.base_rate > 0:
        found["relativeRisk"] = round(risk.probability / risk.base_rate, 2)
    if drivers:
        found["rationale"] = f"SHAP, log-odds: {drivers}"
    return found


def _news2(news2: EarlyWarning, t: Translate) -> Json:
    score = {"score": news2.lower, "inputs": ", ".join(said(name, NAMES, t) for name in news2.unknown)}
    text = (
        t(msgid("NEWS2 at least %(score)d (%(inputs)s unknown)")) % score if news2.unknown else f"NEWS2 {news2.lower}"
    )
    named = ((said(name, NAMES, t), point) for name, point in news2.points.items())
    points = ", ".join(f"{name} {'?' if point is None else point}" for name, point in named)
    scale = t(msgid("SpO2 scale %(scale)d")) % {"scale": news2.scale}
    return {
        "outcome": {"coding": [_NEWS2_TOTAL], "text": t(msgid("Acute deterioration (NEWS2)"))},
        "qualitativeRisk": {"text": t(news2.level)},
        "rationale": f"{text}; {scale}; {points}",
    }


def _requirement(name: str) -> Json:
    codes = _WANTED.get(name)
    if codes is None:
        return {"type": "Patient", "mustSupport": ["birthDate"]}
    return {
        "type": "Observation",
        "codeFilter": [{"path": "code", "code": [{"system": system, "code": code} for system, code in codes]}],
    }
