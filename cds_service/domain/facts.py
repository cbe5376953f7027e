"""Facts that statements give beside readings: whether a pregnancy is recorded, and which SpO2 scale was decided on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from cds_service.domain.diagnoses import PREGNANCY_LASTS, records_pregnancy
from cds_service.domain.patient import Condition
from cds_service.domain.timeliness import Window
from cds_service.domain.vital_codes import LOINC, SNOMED, Key

# LOINC 82810-3 Pregnancy status, answers of its list and of US Core's pregnancy status value set.
PREGNANCY_ANSWERS: Mapping[Key, bool] = MappingProxyType(
    {
        (SNOMED, "77386006"): True,
        (SNOMED, "60001007"): False,
        (LOINC, "LA15173-0"): True,
        (LOINC, "LA26683-5"): False,
    }
)
# "Not pregnant" says less the older it is; a cycle. Chosen by us.
_NOT_PREGNANT_LASTS = timedelta(days=28)


def pregnancy(
    statuses: Iterable[tuple[datetime, bool]], conditions: tuple[Condition, ...] | None, at: datetime
) -> tuple[bool | None, tuple[str, ...]]:
    """Whether a pregnancy is recorded; a status and a diagnosis that disagree count as pregnant, with a remark.

    `statuses` are the pregnancy statuses stated, with their times; the newest that still says something counts.
    """
    current = [
        (time, pregnant)
        for time, pregnant in statuses
        if at - time <= (PREGNANCY_LASTS if pregnant else _NOT_PREGNANT_LASTS)
    ]
    status = max(current)[1] if current else None
    diagnosed = {records_pregnancy(condition, at) for condition in conditions or ()}
    if True in diagnosed and status is False:
        return True, ("pregnancy-records-disagree",)
    if True in diagnosed or status is not None:
        return True in diagnosed or status, ()
    return None, ("pregnancy-record-old",) if None in diagnosed else ()


class ScaleRecord(NamedTuple):
    """A record that gives NEWS2 points for SpO2 by these scales; `time` None when it cannot be used."""

    time: datetime | None
    scales: frozenset[int]
    is_attributed: bool


def spo2_scale(records: Iterable[ScaleRecord], window: Window) -> tuple[int, tuple[str, ...]]:
    """The SpO2 scale a clinician recorded for NEWS2, 1 unless a current, dated, attributed record says 2."""
    limit = window.policy.age_limit("spo2", window.encounter_class)
    recorded: dict[datetime, set[int]] = {}
    remarks: list[str] = []
    for record in records:
        if record.time is None or window.at - record.time > limit:
            remarks.append("spo2-scale-record-not-current")
        elif 2 in record.scales and not record.is_attributed:
            remarks.append("spo2-scale-record-unattributed")
        else:
            recorded.setdefault(record.time, set()).update(record.scales)
    newest = recorded[max(recorded)] if recorded else {1}
    if len(newest) > 1:
        remarks.append("spo2-scale-records-disagree")
        return 1, tuple(remarks)
    return newest.pop(), tuple(remarks)
