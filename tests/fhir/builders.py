"""Small FHIR resources of one patient on one morning, with a clinician's defaults."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cds_service.domain.codes import ICD10CM, CodeTables
from cds_service.domain.patient import PatientSnapshot, UnusedReading
from cds_service.domain.policy import ReadingPolicy
from cds_service.domain.vital_codes import LOINC, SNOMED
from cds_service.fhir.reader import read_resources, snapshot_from_resources

Json = dict[str, Any]

AT = datetime(2026, 3, 14, 7, 40, tzinfo=UTC)  # 08:40 in Madrid
MADRID = "+01:00"
UCUM = "http://unitsofmeasure.org"

TABLES = CodeTables(
    version="test",
    chronic={"E119": True, "I10": True, "J449": True, "J189": False, "C787": True},
    categories={"E11": "diabetes", "I10": "hypertension", "J44": "copd"},
    snomed_to_icd10={"44054006": "E119"},
    complaints={ICD10CM: {"R06": "shortness-of-breath"}},
    complaint_words={"chest pain": "chest-pain", "dolor toracico": "chest-pain"},
)


def concept(*codings: tuple[str, str], text: str | None = None, display: str | None = None) -> Json:
    made: Json = {"coding": [{"system": s, "code": c, **({"display": display} if display else {})} for s, c in codings]}
    return made | ({"text": text} if text else {})


def quantity(value: Any, unit: str, *, code: str | None = None) -> Json:
    return {"value": value, "unit": unit, "system": UCUM, "code": code or unit}


def observation(*codings: tuple[str, str], at: str = f"2026-03-14T08:25:00{MADRID}", **members: Any) -> Json:
    made: Json = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "category": [concept(("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs"))],
        "code": concept(*codings),
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": at,
    }
    return {name: value for name, value in (made | members).items() if value is not None}


def heart_rate(value: Any = 128, **members: Any) -> Json:
    return observation((LOINC, "8867-4"), **{"valueQuantity": quantity(value, "/min")} | members)


def component(code: str, value: Any, unit: str) -> Json:
    return {"code": concept((LOINC, code)), "valueQuantity": quantity(value, unit)}


def pressure(systolic: Any, diastolic: Any, **members: Any) -> Json:
    parts = [component("8480-6", systolic, "mm[Hg]"), component("8462-4", diastolic, "mm[Hg]")]
    return observation((LOINC, "85354-9"), **{"component": parts} | members)


def consciousness(code: str, *, display: str | None = None, scale: tuple[str, str] = (LOINC, "67775-7")) -> Json:
    return observation(scale, valueCodeableConcept=concept((SNOMED, code), display=display))


def patient(**members: Any) -> Json:
    made = {"resourceType": "Patient", "id": "p1", "birthDate": "1954-11-02", "gender": "female"}
    return {name: value for name, value in (made | members).items() if value is not None}


def encounter(**members: Any) -> Json:
    act = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    made = {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "in-progress",
        "class": {"system": act, "code": "EMER"},
        "subject": {"reference": "Patient/p1"},
    }
    return made | members


def condition(code: str, *, system: str = ICD10CM, clinical: str = "active", verified: str = "confirmed") -> Json:
    base = "http://terminology.hl7.org/CodeSystem/condition-"
    return {
        "resourceType": "Condition",
        "id": f"c-{code}",
        "clinicalStatus": concept((f"{base}clinical", clinical)),
        "verificationStatus": concept((f"{base}ver-status", verified)),
        "code": concept((system, code)),
        "subject": {"reference": "Patient/p1"},
    }


def bundle(*resources: Any, **members: Any) -> Json:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": r} for r in resources]} | members


def text(resource: Any) -> bytes:
    return json.dumps(resource, ensure_ascii=False).encode()


def read(*resources: Any, patient_id: str | None = "p1", encounter_id: str | None = None) -> PatientSnapshot:
    """The snapshot of the resources, sent as one Bundle together with the usual patient and visit."""
    kinds = {r.get("resourceType") for r in resources if isinstance(r, dict)}
    usual = [r for r in (patient(), encounter()) if r["resourceType"] not in kinds]
    numbered = [
        r | {"id": f"o{n}"} if isinstance(r, dict) and r.get("id") == "o1" else r for n, r in enumerate(resources, 1)
    ]
    return read_parts(text(bundle(*usual, *numbered)), patient_id=patient_id, encounter_id=encounter_id)


def read_parts(*parts: bytes, patient_id: str | None = "p1", encounter_id: str | None = None) -> PatientSnapshot:
    return snapshot_from_resources(
        read_resources(parts),
        patient_id=patient_id,
        at=AT,
        policy=ReadingPolicy(),
        tables=TABLES,
        encounter_id=encounter_id,
    )


def values(snapshot: PatientSnapshot) -> Json:
    return {
        name: round(reading.value, 4) if isinstance(reading.value, float) else reading.value
        for name, reading in snapshot.readings.items()
    }


def unused(snapshot: PatientSnapshot) -> dict[str, str]:
    return {one.name: one.reason.value for one in snapshot.not_used}


def only_unused(snapshot: PatientSnapshot) -> UnusedReading:
    (one,) = snapshot.not_used
    return one


def ago(**span: float) -> str:
    return (AT - timedelta(**span)).isoformat()
