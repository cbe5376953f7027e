"""Small HL7 v2 messages of one patient on one morning, with a clinician's defaults."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.policy import ReadingPolicy
from cds_service.hl7.message import Message
from cds_service.hl7.reader import read_message, snapshot_from_message
from cds_service.hl7.site import STANDARD, SiteMap
from tests.fhir.builders import TABLES

AT = datetime(2026, 3, 14, 7, 40, tzinfo=UTC)  # 08:40 in Madrid
NOW = "20260314082500+0100"

HEART_RATE = "8867-4^Heart rate^LN"
RESPIRATORY_RATE = "9279-1^Respiratory rate^LN"
TEMPERATURE = "8310-5^Body temperature^LN"
SPO2 = "59408-5^Oxygen saturation in Arterial blood by Pulse oximetry^LN"
SYSTOLIC = "8480-6^Systolic blood pressure^LN"
DIASTOLIC = "8462-4^Diastolic blood pressure^LN"
WEIGHT = "29463-7^Body weight^LN"
GCS = "9269-2^Glasgow coma score total^LN"
RESPONSIVENESS = "67775-7^Level of responsiveness^LN"

PID = "PID|1||P1^^^HOSP^MR||Ejemplo^Rosa||19541102|F"
PV1 = "PV1|1|E|ED^01^1"
OBR = f"OBR|1|PL1|FI1|85353-1^Vital signs panel^LN|||{NOW}"


def msh(**fields: str) -> str:
    """An MSH; `msh_9="ORU^R01"` sets a field by its number."""
    sent = {
        3: "MONITOR",
        4: "ED",
        5: "CDS",
        6: "HOSP",
        7: "20260314083000+0100",
        9: "ORU^R01^ORU_R01",
        10: "M1",
        11: "P",
        12: "2.5.1",
    }
    sent |= {int(name.removeprefix("msh_")): value for name, value in fields.items()}
    return "|".join(["MSH", "^~\\&", *(sent.get(number, "") for number in range(3, max(sent) + 1))])


def obx(code: str = HEART_RATE, value: Any = 128, unit: str = "/min", kind: str = "NM", **fields: str) -> str:
    """An OBX; `obx_11="C"` sets a field by its number."""
    sent = {1: "1", 2: kind, 3: code, 5: str(value), 6: unit, 11: "F", 14: NOW}
    sent |= {int(name.removeprefix("obx_")): text for name, text in fields.items()}
    return "|".join(["OBX", *(sent.get(number, "") for number in range(1, max(sent) + 1))])


def er7(*segments: str, end: str = "\r", encoding: str = "utf-8") -> bytes:
    return "".join(segment + end for segment in segments).encode(encoding)


def oru(*observations: str, **fields: str) -> bytes:
    """Observations with the usual patient, visit and order before them."""
    return er7(msh(**fields), PID, PV1, OBR, *observations)


def read(raw: bytes, site: SiteMap = STANDARD) -> Message:
    return read_message(raw, site=site)


def snapshot(raw: bytes, patient: int = 0, *, site: SiteMap = STANDARD, at: datetime = AT) -> PatientSnapshot:
    return snapshot_from_message(read_message(raw, site=site), patient, at=at, policy=ReadingPolicy(), tables=TABLES)


def values(made: PatientSnapshot) -> dict[str, Any]:
    return {
        name: round(reading.value, 4) if isinstance(reading.value, float) else reading.value
        for name, reading in made.readings.items()
    }


def unused(made: PatientSnapshot) -> dict[str, str]:
    return {one.name: one.reason.value for one in made.not_used}
