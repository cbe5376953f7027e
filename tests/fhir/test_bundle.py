from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import InvalidResource, TooLarge
from cds_service.fhir.bundle import MAX_ENTRIES
from cds_service.fhir.reader import read_resources
from tests.fhir.builders import (
    bundle,
    condition,
    encounter,
    heart_rate,
    observation,
    patient,
    pressure,
    quantity,
    read,
    read_parts,
    text,
    unused,
    values,
)

ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_parts_may_be_resources_bundles_raw_bytes_or_null() -> None:
    parts = [text(patient()), msgspec.Raw(text(bundle(heart_rate()))), b"null", text(encounter())]

    assert values(read_parts(*parts)) == {"heart_rate": 128.0}


@pytest.mark.parametrize("kind", ["searchset", "collection", "transaction", "batch", "message"])
def test_any_type_of_bundle_is_read(kind: str) -> None:
    assert values(read_parts(text(bundle(patient(), heart_rate(), type=kind)))) == {"heart_rate": 128.0}


def test_other_resources_are_passed_over() -> None:
    others = [
        {"resourceType": "Organization", "name": "Hospital", "identifier": [1]},
        {"resourceType": "AllergyIntolerance", "category": ["food"], "code": "nuts"},
        {"resourceType": "MedicationRequest", "status": ["odd"], "subject": 7},
        {"resourceType": "OperationOutcome", "issue": []},
    ]

    assert values(read(*others, heart_rate())) == {"heart_rate": 128.0}


@pytest.mark.parametrize(
    ("members", "reason", "place"),
    [
        ({"valueQuantity": "128"}, "unknown-value", "valueQuantity"),
        ({"valueQuantity": quantity(128, "/min") | {"unit": 7}}, "unknown-value", "valueQuantity.unit"),
        ({"valueString": 128}, "unknown-value", "valueString"),
        ({"status": 1}, "not-final", "status"),
        ({"effectiveDateTime": 20260314}, "no-time", "effectiveDateTime"),
        ({"component": {}}, "unknown-value", "component"),
    ],
)
def test_member_of_the_wrong_type_spoils_that_observation_only(
    members: dict[str, object], reason: str, place: str
) -> None:
    snapshot = read(heart_rate(**members), pressure(120, 80))

    (left_out,) = snapshot.not_used
    assert (left_out.name, left_out.reason, left_out.source) == ("heart_rate", reason, "Observation/o1")
    assert left_out.detail.startswith(f"{place}: expected")
    assert values(snapshot) == {"systolic_bp": 120.0, "diastolic_bp": 80.0}


def test_unreadable_code_leaves_a_remark() -> None:
    snapshot = read(observation(code="8867-4"), observation(code={"coding": "8867-4"}, status=1))

    assert (snapshot.readings, snapshot.remarks) == ({}, ("observation-unreadable",))


@pytest.mark.parametrize(
    ("body", "where"),
    [
        pytest.param(b"", "resource 1", id="nothing"),
        pytest.param(b"{", "resource 1", id="cut off"),
        pytest.param(b"\xff\xfe{}", "resource 1", id="not UTF-8"),
        pytest.param(b"[]", "resource 1", id="list"),
        pytest.param(b'"Bundle"', "resource 1", id="text"),
        pytest.param(b"{}", "resource 1", id="no resourceType"),
        pytest.param(b'{"resourceType": 7}', "resource 1.resourceType", id="resourceType of wrong type"),
        pytest.param(text(bundle())[:-1] + b', "entry": [3]}', "resource 1", id="entry is a number"),
        pytest.param(b'{"resourceType":"Bundle","entry":{}}', "resource 1.entry", id="entry is an object"),
        pytest.param(b'{"a":' * 5000 + b"1" + b"}" * 5000, "resource 1", id="nested 5,000 deep"),
        pytest.param(text(patient(birthDate=1954)), "resource 1.birthDate", id="birth date is a number"),
        pytest.param(text(bundle(patient(gender=[]))), "Bundle.entry[0].resource.gender", id="gender is a list"),
        pytest.param(text(bundle([patient()])), "Bundle.entry[0].resource", id="resource is a list"),
        pytest.param(text(patient(name="Ana")), "Patient", id="name is text"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(body: bytes, where: str) -> None:
    with pytest.raises(InvalidResource) as refusal:
        read_parts(body)

    assert refusal.value.where.startswith(where)


def test_entries_of_all_parts_together_are_limited() -> None:
    half = text(bundle(*[heart_rate()] * (MAX_ENTRIES // 2 + 1)))

    with pytest.raises(TooLarge, match="more than 2000 entries"):
        read_resources([half, half])


def test_spoiled_condition_and_encounter_leave_remarks() -> None:
    snapshot = read(condition("I10") | {"recordedDate": 2019}, encounter(status=["in-progress"]), heart_rate())

    assert snapshot.remarks == ("condition-unreadable", "encounter-not-sent", "encounter-unreadable")


def test_nested_bundle_is_not_read() -> None:
    snapshot = read(bundle(heart_rate()))

    assert (snapshot.readings, snapshot.remarks) == ({}, ("nested-bundle-ignored",))


@given(member=st.sampled_from(sorted({*observation(), "component", "valueQuantity", "issued", "meta"})), value=ANY_JSON)
def test_any_value_of_any_member_gives_a_snapshot(member: str, value: object) -> None:
    snapshot = read({**heart_rate(), member: value, "resourceType": "Observation"}, pressure(120, 80))

    assert values(snapshot).items() >= {"systolic_bp": 120.0, "diastolic_bp": 80.0}.items()


@given(kind=st.sampled_from(["Patient", "Encounter", "Condition"]), member=st.text(max_size=12), value=ANY_JSON)
def test_any_other_member_gives_a_snapshot_or_a_refusal(kind: str, member: str, value: object) -> None:
    made = {"Patient": patient(), "Encounter": encounter(), "Condition": condition("I10")}[kind]
    for name in (member, *made):
        if name != "resourceType":
            _snapshot_or_refusal({**made, name: value})


def _snapshot_or_refusal(resource: dict[str, object]) -> None:
    with suppress(InvalidResource):
        assert unused(read(resource)) == {}


@given(body=st.binary(max_size=64))
def test_any_bytes_give_a_snapshot_or_a_refusal(body: bytes) -> None:
    with suppress(InvalidResource):
        read_parts(body)
