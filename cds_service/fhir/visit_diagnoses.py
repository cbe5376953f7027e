"""Diagnoses of a visit in a Bundle: which Conditions a clinician has made, or taken back, as more than a suspicion."""

from __future__ import annotations

import msgspec

from cds_service.domain.codes import CodeTables
from cds_service.fhir.bundle import read_resources
from cds_service.fhir.codes import concept_of, keys_of
from cds_service.fhir.conditions import StatedDiagnosis, stated_in
from cds_service.fhir.patient import find_subject, mine
from cds_service.fhir.shapes import Resource

# R4 code systems condition-category and condition-ver-status. A problem-list item is history, and comes by the service
# `diagnosis-label` when it is new; what nobody calls confirmed is a suspicion.
_OF_VISIT = b'"encounter-diagnosis"'
_SETTLED = frozenset({"confirmed", "refuted", "entered-in-error"})


def read_visit_diagnoses(bundle: bytes, tables: CodeTables) -> list[StatedDiagnosis]:
    """What the Conditions of the one patient's visits say: confirmed and present, or withdrawn.

    A Condition that cannot be read, or is another patient's, is left out.
    """
    if _OF_VISIT not in bundle:
        return []
    resources = read_resources([bundle])
    own = mine(resources.conditions, find_subject(resources, None), set())
    found = [_read(entry.resource, tables) for entry in own if entry.resource is not None]
    return [one for one in found if one is not None]


def _read(resource: Resource, tables: CodeTables) -> StatedDiagnosis | None:
    if _OF_VISIT not in bytes(resource.category):
        return None
    try:
        verified = {code for _, code in keys_of(concept_of(resource.verification_status))}
        return stated_in(resource, tables) if verified & _SETTLED else None
    except msgspec.ValidationError:
        return None
