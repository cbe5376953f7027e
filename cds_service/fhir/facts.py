"""Observations that state facts beside readings: pregnancy, and which SpO2 scale was decided on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from cds_service.domain.facts import PREGNANCY_ANSWERS, ScaleRecord, pregnancy, spo2_scale
from cds_service.domain.patient import Condition
from cds_service.fhir.codes import concept_of, keys_of, meaning_of
from cds_service.fhir.observations import UNKNOWN_TIME, Setting, standing_of
from cds_service.fhir.shapes import Entry, Resource
from cds_service.fhir.text import is_given
from cds_service.fhir.values import sent_member


def read_pregnancy(
    others: list[Entry], conditions: tuple[Condition, ...] | None, setting: Setting
) -> tuple[bool | None, tuple[str, ...]]:
    """Whether a pregnancy is recorded by a status or a diagnosis, with remarks."""
    return pregnancy(_pregnancy_statuses(others, setting), conditions, setting.window.at)


def _pregnancy_statuses(others: list[Entry], setting: Setting) -> Iterator[tuple[datetime, bool]]:
    for entry in others:
        resource = entry.resource
        if resource is None or not meaning_of(resource.code).is_pregnancy_status:
            continue
        time = _usable_time(entry, resource, setting)
        answers = _pregnancy_answers(resource)
        if time is not None and len(answers) == 1:
            yield time, True in answers


def _pregnancy_answers(resource: Resource) -> set[bool]:
    try:
        keys = keys_of(concept_of(resource.value_codeable_concept))
    except msgspec.ValidationError:
        return set()
    return {PREGNANCY_ANSWERS[key] for key in keys if key in PREGNANCY_ANSWERS}


def read_spo2_scale(others: list[Entry], setting: Setting) -> tuple[int, tuple[str, ...]]:
    """The SpO2 scale a clinician recorded for NEWS2, with remarks."""
    return spo2_scale(_scale_records(others, setting), setting.window) if others else (1, ())


def _scale_records(others: list[Entry], setting: Setting) -> Iterator[ScaleRecord]:
    for entry in others:
        resource = entry.resource
        scales = frozenset() if resource is None else _scales_of(resource)
        if resource is not None and scales:
            yield ScaleRecord(_usable_time(entry, resource, setting), scales, is_given(resource.performer))


def _scales_of(resource: Resource) -> frozenset[int]:
    """Scales that the resource or its components give points for; a part without a value says nothing."""
    return frozenset(
        scale
        for statement in (resource, *(resource.component or ()))
        if (scale := meaning_of(statement.code).scale) is not None
        and sent_member(statement)
        and not is_given(statement.data_absent_reason)
    )


def _usable_time(entry: Entry, resource: Resource, setting: Setting) -> datetime | None:
    """When a fact about this patient was recorded, None when the Observation cannot be used."""
    standing = standing_of(entry, resource, setting)
    usable = standing.refusal is None and standing.time is not UNKNOWN_TIME and standing.time <= setting.window.latest
    return standing.time if usable else None
