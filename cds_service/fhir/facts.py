"""Facts that Observations state beside readings: pregnancy, and which SpO2 scale was decided on."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from cds_service.domain.patient import Condition
from cds_service.domain.vital_codes import LOINC, SNOMED
from cds_service.fhir.codes import concept_of, keys_of, meaning_of
from cds_service.fhir.conditions import PREGNANCY_LASTS, records_pregnancy
from cds_service.fhir.observations import UNKNOWN_TIME, Setting, standing_of
from cds_service.fhir.shapes import Entry, Resource
from cds_service.fhir.text import is_given
from cds_service.fhir.values import sent_member

# LOINC 82810-3 Pregnancy status, answers of its list and of US Core's pregnancy status value set.
_PREGNANCY_ANSWERS = {
    (SNOMED, "77386006"): True,
    (SNOMED, "60001007"): False,
    (LOINC, "LA15173-0"): True,
    (LOINC, "LA26683-5"): False,
}
# "Not pregnant" says less the older it is; a cycle. Chosen by us.
_NOT_PREGNANT_LASTS = timedelta(days=28)


def read_pregnancy(
    others: list[Entry], conditions: tuple[Condition, ...] | None, setting: Setting
) -> tuple[bool | None, tuple[str, ...]]:
    """Whether a pregnancy is recorded; a status and a diagnosis that disagree count as pregnant, with a remark."""
    status = _pregnancy_status(others, setting)
    diagnosed = any(records_pregnancy(condition, setting.at) for condition in conditions or ())
    if diagnosed and status is False:
        return True, ("pregnancy-records-disagree",)
    return (True if diagnosed else status), ()


def _pregnancy_status(others: list[Entry], setting: Setting) -> bool | None:
    newest: tuple[datetime, bool] | None = None
    for entry in others:
        resource = entry.resource
        if resource is None or not meaning_of(resource.code).is_pregnancy_status:
            continue
        time = _usable_time(entry, resource, setting)
        answers = _pregnancy_answers(resource)
        if time is None or len(answers) != 1:
            continue
        pregnant = True in answers
        limit = PREGNANCY_LASTS if pregnant else _NOT_PREGNANT_LASTS
        if setting.at - time <= limit and (newest is None or (time, pregnant) > newest):
            newest = time, pregnant
    return None if newest is None else newest[1]


def _pregnancy_answers(resource: Resource) -> set[bool]:
    try:
        keys = keys_of(concept_of(resource.value_codeable_concept))
    except msgspec.ValidationError:
        return set()
    return {_PREGNANCY_ANSWERS[key] for key in keys if key in _PREGNANCY_ANSWERS}


def read_spo2_scale(others: list[Entry], setting: Setting) -> tuple[int, tuple[str, ...]]:
    """The SpO2 scale a clinician recorded for NEWS2, 1 unless a current, dated, attributed record says 2."""
    if not others:
        return 1, ()
    limit = setting.policy.age_limit("spo2", setting.encounter_class)
    recorded: dict[datetime, set[int]] = {}
    remarks: list[str] = []
    for entry in others:
        resource = entry.resource
        scales = set() if resource is None else _scales_of(resource)
        if resource is None or not scales:
            continue
        time = _usable_time(entry, resource, setting)
        if time is None or setting.at - time > limit:
            remarks.append("spo2-scale-record-not-current")
        elif 2 in scales and not is_given(resource.performer):
            remarks.append("spo2-scale-record-unattributed")
        else:
            recorded.setdefault(time, set()).update(scales)
    newest = recorded[max(recorded)] if recorded else {1}
    if len(newest) > 1:
        remarks.append("spo2-scale-records-disagree")
        return 1, tuple(remarks)
    return newest.pop(), tuple(remarks)


def _scales_of(resource: Resource) -> set[int]:
    """Scales that the resource or its components give points for; a part without a value says nothing."""
    return {
        scale
        for statement in (resource, *(resource.component or ()))
        if (scale := meaning_of(statement.code).scale) is not None
        and sent_member(statement)
        and not is_given(statement.data_absent_reason)
    }


def _usable_time(entry: Entry, resource: Resource, setting: Setting) -> datetime | None:
    """When a fact about this patient was recorded, None when the Observation cannot be used."""
    standing = standing_of(entry, resource, setting)
    usable = standing.refusal is None and standing.time is not UNKNOWN_TIME and standing.time <= setting.latest
    return standing.time if usable else None
