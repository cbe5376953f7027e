"""FHIR in, one `PatientSnapshot` out: the typed fast reader on the path of every request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cds_service.domain.ages import Age
from cds_service.domain.choose import choose_readings
from cds_service.domain.codes import CodeTables
from cds_service.domain.diagnoses import count_chronic
from cds_service.domain.patient import Condition, Identity, NotUsed, PatientSnapshot, Reading, UnusedReading
from cds_service.domain.policy import ReadingPolicy
from cds_service.domain.timeliness import window_at
from cds_service.domain.vital_codes import VITAL_CODES
from cds_service.fhir.bundle import MAX_ENTRIES, Resources, Spoiled, read_resources
from cds_service.fhir.conditions import IN_WORDS, read_conditions
from cds_service.fhir.encounter import Visit, read_visit
from cds_service.fhir.facts import read_pregnancy, read_spo2_scale
from cds_service.fhir.observations import Found, Setting, read_observation
from cds_service.fhir.order import ORDERS
from cds_service.fhir.patient import Subject, find_subject, identity_of, is_deceased, mine
from cds_service.fhir.text import source_name
from cds_service.fhir.times import age_from_birth_date
from cds_service.fhir.versions import current_versions

__all__ = ["MAX_ENTRIES", "Resources", "read_resources", "snapshot_from_resources"]

_SEXES = {"male": "male", "female": "female"}

# What is wrong with an Observation, by the member that has the wrong JSON type.
_REASONS = {
    "status": NotUsed.NOT_FINAL,
    "subject": NotUsed.OTHER_PATIENT,
    "effectiveDateTime": NotUsed.NO_TIME,
    "effectiveInstant": NotUsed.NO_TIME,
    "effectivePeriod": NotUsed.NO_TIME,
    "issued": NotUsed.NO_TIME,
}


def snapshot_from_resources(
    resources: Resources,
    *,
    patient_id: str | None,
    at: datetime,
    policy: ReadingPolicy,
    tables: CodeTables,
    encounter_id: str | None = None,
) -> PatientSnapshot:
    """What the resources say of the patient at the moment `at` (UTC).

    `patient_id` None means the one Patient that was sent; `encounter_id` None the one visit under way.
    Raises InvalidResource for another Patient, or none when there must be one.
    """
    subject = find_subject(resources, patient_id)
    found = Found(remarks=set(resources.remarks))
    visits = mine(resources.encounters, subject, found.remarks)
    visit = read_visit(visits, encounter_id=encounter_id, tables=tables, at=at)
    conditions = _conditions(resources, subject, found, tables)
    setting = Setting(subject, window_at(at, policy, visit.encounter_class))
    readings = _readings(resources, setting, found)
    pregnant, pregnancy_remarks = read_pregnancy(found.others, conditions, setting)
    scale, scale_remarks = read_spo2_scale(found.others, setting)
    age = _age(subject, at)
    found.remarks.update(visit.remarks, pregnancy_remarks, scale_remarks, age.remarks)
    if pregnant:  # then the words ask for nothing more
        found.remarks.discard(IN_WORDS)
    if subject.resource is not None and is_deceased(subject.resource):
        found.remarks.add("patient-deceased")
    return PatientSnapshot(
        at=at,
        identity=_identity(subject, age, visit),
        age_years=age.years,
        sex=None if subject.resource is None else _SEXES.get(subject.resource.gender or ""),
        readings=readings,
        not_used=tuple(found.unused),
        conditions=conditions,
        chronic_count=None if conditions is None else count_chronic(conditions),
        pregnant=pregnant,
        spo2_scale=scale,
        encounter_class=visit.encounter_class,
        complaint_group=visit.complaint_group,
        arrived_by_ambulance=visit.arrived_by_ambulance,
        remarks=tuple(sorted(found.remarks)),
    )


def _conditions(
    resources: Resources, subject: Subject, found: Found, tables: CodeTables
) -> tuple[Condition, ...] | None:
    """The patient's present conditions, None when neither a Condition nor a list of them was sent."""
    own = mine(resources.conditions, subject, found.remarks)
    if not own and "Condition" not in resources.listed:
        return None
    conditions, remarks = read_conditions(own, tables)
    found.remarks |= remarks
    return conditions


def _readings(resources: Resources, setting: Setting, found: Found) -> Mapping[str, Reading]:
    for entry in current_versions(resources.observations, setting, found):
        read_observation(entry, setting, found)
    for spoiled in resources.spoiled:
        _note_spoiled(spoiled, found)
    return choose_readings(found.candidates, found.unused, ORDERS)


def _age(subject: Subject, at: datetime) -> Age:
    if subject.resource is None:
        return Age(remarks=("patient-not-sent",))
    return age_from_birth_date(subject.resource.birth_date, at=at)


def _identity(subject: Subject, age: Age, visit: Visit) -> Identity:
    name, identifiers = ("", ()) if subject.resource is None else identity_of(subject.resource)
    return Identity(
        patient_id=subject.patient_id,
        name=name,
        birth_date=age.birth_date,
        identifiers=identifiers,
        visits=visit.identifiers,
    )


def _note_spoiled(spoiled: Spoiled, found: Found) -> None:
    """Say of which vital signs an unreadable Observation would have been, and what is wrong where."""
    document = spoiled.document
    components = document.get("component")
    parts = [document, *(components if isinstance(components, list) else [])]
    names = sorted({name for part in parts for name in _names(part)})
    if not names:
        found.remarks.add("observation-unreadable")
    resource_id = document.get("id")
    source = source_name("Observation", resource_id if isinstance(resource_id, str) else None, spoiled.full_url)
    reason = _REASONS.get(spoiled.path.partition(".")[0], NotUsed.UNKNOWN_VALUE)
    for name in names:
        found.unused.append(
            UnusedReading(name=name, reason=reason, source=source, detail=f"{spoiled.path}: {spoiled.text}")
        )


def _names(part: object) -> set[str]:
    """Vital signs named by the codings of a statement of unknown shape."""
    code = part.get("code") if isinstance(part, dict) else None
    codings = code.get("coding") if isinstance(code, dict) else None
    pairs = [
        (str(coding.get("system")), str(coding.get("code")))
        for coding in (codings if isinstance(codings, list) else [])
        if isinstance(coding, dict)
    ]
    return {VITAL_CODES[pair] for pair in pairs if pair in VITAL_CODES}
