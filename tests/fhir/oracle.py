"""The slow second reader: the same rules on fhir.resources' models, written without looking at speed.

It covers quantities, panels, states, times and the choice of the latest. It shares the tables of the domain with the
fast reader and nothing else, so that an error in decoding, ordering or time handling shows as a difference.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.observation import Observation

from cds_service.domain.policy import ReadingPolicy
from cds_service.domain.vital_codes import VITAL_CODES
from cds_service.domain.vitals import VITAL_SIGNS

UCUM = "http://unitsofmeasure.org"


class Read(NamedTuple):
    """A usable reading."""

    value: float
    time: datetime
    issued: datetime | None


def read_bundle(body: bytes, *, patient_id: str, at: datetime) -> tuple[dict[str, float], list[tuple[str, str]]]:
    """Value by vital sign, and (name, reason) of what is not used, sorted."""
    usable: dict[str, list[Read]] = defaultdict(list)
    unused: list[tuple[str, str]] = []
    for entry in Bundle.model_validate_json(body).entry or []:
        if isinstance(entry.resource, Observation):
            for name, found in _read(entry.resource, f"Patient/{patient_id}", at):
                if isinstance(found, str):
                    unused.append((name, found))
                else:
                    usable[name].append(found)
    chosen = {name: _choose(name, reads, unused) for name, reads in usable.items()}
    kept = {name: read for name, read in chosen.items() if read is not None}
    _drop_impossible_pair(kept, unused)
    return {name: read.value for name, read in kept.items()}, sorted(unused)


def _read(resource: Observation, patient: str, at: datetime) -> list[tuple[str, Read | str]]:
    parts = [resource, *(resource.component or [])]
    named = [(name, part) for part in parts if (name := _name(part)) is not None]
    return [(name, _judge(name, part, resource, patient, at)) for name, part in named]


def _name(part: Any) -> str | None:
    for coding in part.code.coding or []:
        if (str(coding.system), str(coding.code)) in VITAL_CODES:
            return VITAL_CODES[str(coding.system), str(coding.code)]
    return None


def _judge(name: str, part: Any, resource: Observation, patient: str, at: datetime) -> Read | str:
    if resource.subject is None:
        return "no-patient"
    if resource.subject.reference != patient:
        return "other-patient"
    if resource.status in ("entered-in-error", "cancelled"):
        return str(resource.status)
    if resource.status not in ("final", "amended", "corrected", "preliminary"):
        return "not-final"
    taken = resource.effectiveDateTime or (resource.effectivePeriod and resource.effectivePeriod.end) or resource.issued
    if taken is None:
        return "no-time"
    moment = _moment(taken)
    policy = ReadingPolicy()
    if moment > at + policy.future_tolerance:
        return "future"
    if at - moment > policy.age_limit(name, "EMER"):
        return "stale"
    value = _value(name, part)
    return value if isinstance(value, str) else Read(value, moment, resource.issued)


def _moment(taken: datetime | date) -> datetime:
    if isinstance(taken, datetime):
        return taken.astimezone(UTC)
    return datetime.combine(taken, time(), tzinfo=UTC) - timedelta(hours=14)


def _value(name: str, part: Any) -> float | str:
    quantity = part.valueQuantity
    if part.dataAbsentReason is not None or quantity is None:
        return "no-value"
    if quantity.comparator is not None:
        return "comparator"
    if quantity.value is None:
        return "no-value"
    unit = quantity.code if quantity.system == UCUM and quantity.code else quantity.unit or quantity.code
    if unit is None:
        return "missing-unit"
    sign = VITAL_SIGNS[name]
    if unit not in sign.units:
        return "unknown-unit"
    factor, offset = sign.units[unit]
    value = float(Decimal(quantity.value)) * factor + offset
    low = sign.low if sign.usable_low is None else sign.usable_low
    return value if low <= value <= sign.high else "implausible"


def _choose(name: str, reads: list[Read], unused: list[tuple[str, str]]) -> Read | None:
    newest = max(read.time for read in reads)
    top = [read for read in reads if read.time == newest]
    if len(top) > 1 and all(read.issued for read in top):
        last = max(read.issued for read in top if read.issued)
        top = [read for read in top if read.issued == last]
    agreed = all(abs(read.value - top[0].value) <= 1e-3 * max(abs(read.value), abs(top[0].value)) for read in top)
    used = top[:1] if agreed else []
    conflicting = [] if agreed else top
    unused += [(name, "conflicting")] * len(conflicting)
    unused += [(name, "superseded")] * (len(reads) - len(used) - len(conflicting))
    return used[0] if used else None


def _drop_impossible_pair(kept: dict[str, Read], unused: list[tuple[str, str]]) -> None:
    systolic, diastolic = kept.get("systolic_bp"), kept.get("diastolic_bp")
    if systolic is None or diastolic is None or diastolic.value < systolic.value:
        return
    newest = max(systolic.time, diastolic.time)
    for name in ("systolic_bp", "diastolic_bp"):
        if systolic.time == diastolic.time or kept[name].time < newest:
            del kept[name]
            unused.append((name, "inconsistent"))
