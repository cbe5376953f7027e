"""The invented hospital's systems as standards see them: an EHR's hooks and feedback, a monitor's messages."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cds_service.demo.visits import Visit, name_parts
from cds_service.domain.codes import ICD10CM
from cds_service.domain.vital_codes import LOINC
from cds_service.errors import Unavailable
from cds_service.hl7.framing import CARRIAGE_RETURN, END, START, framed

# LOINC code and UCUM unit of what a visit's form says (docs/reference/vital-signs.md).
_CODES: Mapping[str, tuple[str, str]] = {
    "heart_rate": ("8867-4", "/min"),
    "systolic_bp": ("8480-6", "mm[Hg]"),
    "diastolic_bp": ("8462-4", "mm[Hg]"),
    "respiratory_rate": ("9279-1", "/min"),
    "spo2": ("59408-5", "%"),
    "temperature": ("8310-5", "Cel"),
}
# What a clinician writes into the problem list of a patient who needs intensive care, and of any other.
_DIAGNOSES = {True: ("A41.9", "J96.01", "I50.9"), False: ("R07.9", "J06.9", "S93.401A")}


def hook_call(visit: Visit, at: datetime) -> dict[str, object]:
    """The body of `patient-view` when the visit's record is opened; every name in it is plainly invented."""
    resources = [_observation(visit, name, at) for name in _CODES if name in visit.form]
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid5(NAMESPACE_URL, visit.patient)),
        "context": {"userId": "Practitioner/invented-1", "patientId": visit.patient, "encounterId": visit.patient},
        "prefetch": {
            "patient": _patient(visit, at.date()),
            "encounter": _bundle([_encounter(visit)]),
            "observations": _bundle(resources),
            "examinations": _bundle([]),
            "conditions": _bundle([]),
        },
    }


def diagnosis_call(visit: Visit, clinician: str) -> dict[str, object]:
    """The body of `problem-list-item-create` when the diagnosis is written down."""
    codes = _DIAGNOSES[visit.needs_icu]
    condition: dict[str, object] = {
        "resourceType": "Condition",
        "subject": {"reference": f"Patient/{visit.patient}"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "code": {"coding": [{"system": ICD10CM, "code": codes[_number(visit) % len(codes)]}]},
    }
    return {
        "hook": "problem-list-item-create",
        "hookInstance": str(uuid5(NAMESPACE_URL, f"{visit.patient}/diagnosis")),
        "context": {
            "userId": clinician,
            "patientId": visit.patient,
            "conditions": {**_bundle([condition]), "type": "collection"},
        },
    }


def report(card: Mapping[str, Any], at: datetime, *, agrees: bool) -> dict[str, object]:
    """Feedback on one card: overridden for a reason it offers, the first or the last but the patient's states."""
    reasons = [
        reason for reason in card["overrideReasons"] if reason["code"] in ("action-completed", "already-assessed")
    ]
    reason = reasons[-1 if agrees else 0]
    return {
        "card": card["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": at.isoformat(),
        "overrideReason": {"reason": {"code": reason["code"], "system": reason["system"]}},
    }


def monitor_message(visit: Visit, at: datetime) -> bytes:
    """An ORU^R01 with the visit's vital signs, as a bedside monitor's gateway sends it."""
    moment = at.strftime("%Y%m%d%H%M%S+0000")
    given, family = _name(visit)
    sex = _sex(visit)[0].upper()
    segments = [
        f"MSH|^~\\&|MONITOR|ED|CDS|HOSP|{moment}||ORU^R01^ORU_R01|{visit.patient[-20:]}|P|2.6|||AL|NE||UNICODE UTF-8",
        f"PID|||{visit.patient}^^^INVENTED^MR||{family}^{given}||{_born(visit, at.date()):%Y%m%d}|{sex}",
        "PV1||E|ED",
        f"OBR|1|||85353-1^Vital signs^LN|||{moment}",
    ]
    for number, (name, (code, unit)) in enumerate(_CODES.items(), 1):
        segments.append(f"OBX|{number}|NM|{code}^{name}^LN||{visit.form[name]}|{unit}^{unit}^UCUM|||||F|||{moment}")
    return "\r".join([*segments, ""]).encode()


class Monitor:
    """One connection of a bedside monitor's gateway over MLLP."""

    def __init__(self, port: int, *, host: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection((host, port), timeout=30)

    def send(self, message: bytes) -> None:
        """Send one message and wait for its acknowledgment; Unavailable for any but AA."""
        self._socket.sendall(framed(message))
        answer = b""
        while not answer.endswith(END + CARRIAGE_RETURN):
            chunk = self._socket.recv(65536)
            if not chunk:
                raise Unavailable("the listener closed the connection", where="MLLP")
            answer += chunk
        code = answer.removeprefix(START).partition(b"MSA|")[2][:2]
        if code not in (b"AA", b"CA"):
            raise Unavailable(f"the listener answered {code.decode('ascii', 'replace')}", where="MLLP")

    def close(self) -> None:
        """Let go of the connection."""
        self._socket.close()


def _patient(visit: Visit, today: date) -> dict[str, object]:
    given, family = _name(visit)
    return {
        "resourceType": "Patient",
        "id": visit.patient,
        "gender": _sex(visit),
        "birthDate": _born(visit, today).isoformat(),
        "name": [{"family": family, "given": [given]}],
    }


def _encounter(visit: Visit) -> dict[str, object]:
    return {
        "resourceType": "Encounter",
        "id": visit.patient,
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"},
        "subject": {"reference": f"Patient/{visit.patient}"},
    }


def _observation(visit: Visit, name: str, at: datetime) -> dict[str, object]:
    code, unit = _CODES[name]
    return {
        "resourceType": "Observation",
        "id": f"{visit.patient}-{code}",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": f"Patient/{visit.patient}"},
        "effectiveDateTime": at.isoformat(),
        "valueQuantity": {"value": visit.form[name], "system": "http://unitsofmeasure.org", "code": unit},
    }


def _bundle(resources: list[dict[str, object]]) -> dict[str, object]:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def _number(visit: Visit) -> int:
    return int(visit.patient.rpartition("-")[2])


def _name(visit: Visit) -> tuple[str, str]:
    return name_parts(_number(visit))


def _sex(visit: Visit) -> str:
    return str(visit.form["sex"])


def _born(visit: Visit, today: date) -> date:
    return date(today.year - int(str(visit.form["age"])) - 1, 12, 1 + _number(visit) % 28)
