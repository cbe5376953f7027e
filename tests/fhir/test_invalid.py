from __future__ import annotations

from pathlib import Path

import pytest

from cds_service.errors import InvalidResource
from cds_service.fhir.conformance import explain
from tests.fhir.builders import read_parts

INVALID = Path(__file__).parents[2] / "fixtures" / "invalid"
REFUSALS = {
    "two-patients.json": "Patient.id: two patients in one request",
    "no-patient.json": "Bundle.entry: holds no Patient, so whose data it is cannot be told",
    "birth-date-is-a-number.json": "Bundle.entry[0].resource.birthDate: expected str, got int",
    "entry-is-a-list.json": "resource 1.entry[0]: expected object, got array",
    "list-of-resources.json": "resource 1: expected object, got array",
    "cut-off.json": "resource 1: is not JSON",
    "not-fhir.json": "resource 1: resourceType is missing",
}
MEANING_ONLY = {"two-patients.json", "no-patient.json"}


@pytest.mark.parametrize("name", sorted(path.name for path in INVALID.glob("*.json")))
def test_invalid_fixture_is_refused_with_its_place(name: str) -> None:
    with pytest.raises(InvalidResource) as refusal:
        read_parts((INVALID / name).read_bytes(), patient_id=None)

    assert str(refusal.value) == REFUSALS[name]


@pytest.mark.parametrize("name", sorted(set(REFUSALS) - MEANING_ONLY))
def test_library_explains_what_is_no_fhir(name: str) -> None:
    assert explain((INVALID / name).read_bytes())
