"""The visit: which Encounter is meant, its class, why the patient came and how."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct

from cds_service.domain.codes import CodeTables, complaint_group
from cds_service.domain.diagnoses import MAX_CODE
from cds_service.fhir.patient import identifiers_of
from cds_service.fhir.shapes import CodeableConcept, Coding, EncounterReason, Entry, Extension, Period, Resource
from cds_service.fhir.text import is_given
from cds_service.fhir.times import moment_from_datetime

# v3-ActCode, value set ActEncounterCode (R4 binding of Encounter.class, extensible); R5 renames nothing here.
_ACT_CODE = ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "urn:oid:2.16.840.1.113883.5.4", None)
_CLASSES = frozenset({"AMB", "EMER", "FLD", "HH", "IMP", "ACUTE", "NONAC", "OBSENC", "PRENC", "SS", "VR"})

# Visits under way: R4 arrived, triaged, in-progress, onleave; R5 in-progress, on-hold.
_OPEN = frozenset({"arrived", "triaged", "in-progress", "onleave", "on-hold"})
_WITHDRAWN = frozenset({"entered-in-error", "cancelled"})

# Extension and example binding (HL7 v2 table 0430) as published in the FHIR extensions pack 1.0.0 to 5.2.0.
_ARRIVAL = "http://hl7.org/fhir/StructureDefinition/encounter-modeOfArrival"
_ARRIVAL_CODES = "http://terminology.hl7.org/CodeSystem/v2-0430"
_BY_AMBULANCE = {"A": True, "H": True, "C": False, "F": False, "O": False, "P": False}

_OVER = frozenset({"finished", "completed", "discontinued"})
# As long as vital signs of an emergency visit count; chosen by us.
_COUNTS_AFTER_END = timedelta(hours=4)

_LONGEST_REMEMBERED = 1024

_CLASS = msgspec.json.Decoder(Coding | list[CodeableConcept]).decode
_CONCEPTS = msgspec.json.Decoder(list[CodeableConcept]).decode
_PERIOD = msgspec.json.Decoder(Period).decode
_REASONS = msgspec.json.Decoder(list[EncounterReason]).decode
_EXTENSIONS = msgspec.json.Decoder(list[Extension]).decode


class Visit(Struct, frozen=True, gc=False):
    """What an Encounter says; None where it does not."""

    encounter_class: str | None = None
    complaint_group: str | None = None
    arrived_by_ambulance: bool | None = None
    remarks: tuple[str, ...] = ()
    identifiers: tuple[tuple[str, str], ...] = ()


def read_visit(entries: list[Entry], *, encounter_id: str | None, tables: CodeTables, at: datetime) -> Visit:
    """The visit with that id, else the one under way; unknown, with a remark, when that is none or several.

    A visit that is named counts for a while after its end: a discharge is when it is looked at once more.
    """
    try:
        chosen = _choose(entries, encounter_id, at)
        if isinstance(chosen, str):
            return Visit(remarks=(chosen,))
        class_code = _class_code(chosen.class_)
        return Visit(
            encounter_class=class_code,
            complaint_group=_complaint(chosen, tables),
            arrived_by_ambulance=_by_ambulance(chosen.extension),
            remarks=() if class_code else ("encounter-class-unknown",),
            identifiers=identifiers_of(chosen),
        )
    except msgspec.ValidationError:
        return Visit(remarks=("encounter-unreadable",))


def _choose(entries: list[Entry], encounter_id: str | None, at: datetime) -> Resource | str:
    visits = {r.id or e.full_url or str(n): r for n, e in enumerate(entries) if (r := e.resource) is not None}
    if not visits:
        return "encounter-not-sent"
    if encounter_id is not None:
        visit = visits.get(encounter_id)
        if visit is None:
            return "encounter-not-found"
        if visit.status in _WITHDRAWN:
            return "encounter-withdrawn"
        return "no-encounter-under-way" if visit.status == "planned" or _is_long_over(visit, at) else visit
    under_way = [visit for visit in visits.values() if visit.status in _OPEN and not _is_long_over(visit, at)]
    if len(under_way) == 1:
        return under_way[0]
    return "several-encounters" if under_way else "no-encounter-under-way"


def _is_long_over(visit: Resource, at: datetime) -> bool:
    """Whether the visit ended too long ago to say anything of now; one that is over without an end in it is."""
    period = _PERIOD(visit.period) if is_given(visit.period) else None
    ended = moment_from_datetime(period.end or "") if period is not None else None
    if ended is None:
        return visit.status in _OVER
    return at - ended[0] > _COUNTS_AFTER_END


def _class_code(raw: Raw) -> str | None:
    text = bytes(raw)
    if not is_given(raw):
        return None
    return _known_class(text) if len(text) <= _LONGEST_REMEMBERED else _known_class.__wrapped__(text)


@lru_cache(maxsize=64)
def _known_class(text: bytes) -> str | None:
    sent = _CLASS(text)
    codings = [sent] if isinstance(sent, Coding) else [c for concept in sent for c in concept.coding or ()]
    return next((c.code for c in codings if c.system in _ACT_CODE and c.code in _CLASSES), None)


def _complaint(encounter: Resource, tables: CodeTables) -> str | None:
    """The group of the first reason that has one: R4's reasonCode, R5's reason."""
    reasons = _CONCEPTS(encounter.reason_code) if is_given(encounter.reason_code) else []
    if is_given(encounter.reason):
        values = [v for reason in _REASONS(encounter.reason) for v in reason.value or ()]
        reasons += [v.concept for v in values if v.concept is not None]
    for reason in reasons:
        group = _group(reason, tables)
        if group is not None:
            return group
    return None


def _group(reason: CodeableConcept, tables: CodeTables) -> str | None:
    codings = reason.coding or []
    pairs = [(c.system, c.code) for c in codings if c.system and c.code and len(c.code) <= MAX_CODE]
    text = reason.text or next((c.display for c in codings if c.display), None)
    return complaint_group(tables, pairs, text)


def _by_ambulance(raw: Raw) -> bool | None:
    """True for ambulance or helicopter, False for another way, None where it is not said."""
    for extension in _EXTENSIONS(raw) if is_given(raw) else ():
        coding = extension.value_coding
        if extension.url == _ARRIVAL and coding is not None and coding.system == _ARRIVAL_CODES:
            return _BY_AMBULANCE.get(coding.code or "")
    return None
