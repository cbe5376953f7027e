from __future__ import annotations

import pytest

from cds_service.domain.vital_codes import LOINC, SNOMED
from cds_service.errors import InvalidResource
from tests.fhir.builders import (
    AT,
    ago,
    bundle,
    component,
    concept,
    encounter,
    heart_rate,
    observation,
    only_unused,
    patient,
    pressure,
    quantity,
    read,
    read_parts,
    text,
    unused,
    values,
)

ON_OXYGEN = (SNOMED, "371825009")
ROOM_AIR = (SNOMED, "722742002")
YES, NO = concept((SNOMED, "373066001")), concept((SNOMED, "373067005"))


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("entered-in-error", "entered-in-error"),
        ("cancelled", "cancelled"),
        ("registered", "not-final"),
        ("unknown", "not-final"),
        ("nonsense", "not-final"),
        (None, "not-final"),
    ],
)
def test_status_without_a_result_is_not_used(status: str | None, reason: str) -> None:
    assert unused(read(heart_rate(status=status))) == {"heart_rate": reason}


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_final_states_are_used(status: str) -> None:
    assert read(heart_rate(status=status)).readings["heart_rate"].flags == ()


def test_preliminary_is_used_and_flagged() -> None:
    assert read(heart_rate(status="preliminary")).readings["heart_rate"].flags == ("preliminary",)


@pytest.mark.parametrize(
    ("members", "flags"),
    [
        ({"effectiveDateTime": "2026-03-14T08:25:00.123+01:00"}, ()),
        ({"effectiveDateTime": None, "effectiveInstant": "2026-03-14T07:25:00Z"}, ()),
        ({"effectiveDateTime": None, "effectivePeriod": {"start": ago(hours=9), "end": ago(minutes=15)}}, ()),
        ({"effectiveDateTime": None, "effectivePeriod": {"start": ago(minutes=15)}}, ("period-without-end",)),
        ({"effectiveDateTime": None, "issued": ago(minutes=15)}, ("time-from-issued",)),
    ],
)
def test_time_may_be_said_in_other_ways(members: dict[str, object], flags: tuple[str, ...]) -> None:
    assert read(heart_rate(**members)).readings["heart_rate"].flags == flags


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"subject": None}, "no-patient"),
        ({"subject": {"reference": "#contained"}}, "no-patient"),
        ({"effectiveDateTime": None}, "no-time"),
        ({"effectiveDateTime": None, "effectiveTiming": {}, "issued": ago(minutes=1)}, "no-time"),
        ({"effectiveDateTime": "2026-03-14T08:25:00"}, "no-time"),
        ({"effectiveDateTime": "2026-13-14T08:25:00Z"}, "no-time"),
        ({"effectiveDateTime": "yesterday"}, "no-time"),
        ({"effectiveDateTime": ago(hours=4, minutes=1)}, "stale"),
        ({"effectiveDateTime": "2026-03-14"}, "stale"),
        ({"effectiveDateTime": "2026"}, "stale"),
        ({"effectiveDateTime": ago(minutes=-6)}, "future"),
        ({"effectiveDateTime": "2999-01-01"}, "future"),
    ],
)
def test_time_that_is_not_now_is_not_used(members: dict[str, object], reason: str) -> None:
    assert unused(read(heart_rate(**members))) == {"heart_rate": reason}


def test_clocks_may_differ_by_five_minutes() -> None:
    assert values(read(heart_rate(at=ago(minutes=-5)))) == {"heart_rate": 128.0}


def test_partial_date_is_enough_for_what_changes_slowly() -> None:
    snapshot = read(observation((LOINC, "29463-7"), at="2026-03", valueQuantity=quantity(70, "kg")))

    assert snapshot.readings["weight"].flags == ("time-partial",)


def test_other_patients_reading_leaks_nothing() -> None:
    snapshot = read(heart_rate(subject={"reference": "Patient/p2"}))

    left_out = only_unused(snapshot)

    assert (left_out.reason, left_out.original) == ("other-patient", "")
    assert snapshot.remarks == ("observation-of-other-patient",)


@pytest.mark.parametrize(
    ("reference", "is_same"),
    [
        ("Patient/p1", True),
        ("Patient/p1/_history/3", True),
        ("https://ehr.example.org/fhir/Patient/p1", True),
        ("https://other.example.org/fhir/Patient/p1", False),
        ("Patient/p11", False),
        ("Group/p1", False),
        ("urn:uuid:7c1a", False),
    ],
)
def test_subject_is_compared_with_the_patient_sent(reference: str, is_same: bool) -> None:
    body = bundle(encounter(), heart_rate(subject={"reference": reference}))
    body["entry"].append({"fullUrl": "https://ehr.example.org/fhir/Patient/p1", "resource": patient()})

    assert bool(read_parts(text(body)).readings) is is_same


def test_subject_may_be_the_entry_of_the_bundle() -> None:
    body = bundle(heart_rate(subject={"reference": "urn:uuid:7c1a"}))
    body["entry"].append({"fullUrl": "urn:uuid:7c1a", "resource": patient(id=None)})

    snapshot = read_parts(text(body), patient_id=None)

    assert (snapshot.identity.patient_id, values(snapshot)) == ("urn:uuid:7c1a", {"heart_rate": 128.0})


@pytest.mark.parametrize("patient_id", ["p1", None])
def test_second_patient_is_refused(patient_id: str | None) -> None:
    with pytest.raises(InvalidResource, match="patient"):
        read_parts(text(bundle(patient(), patient(id="p2"))), patient_id=patient_id)


def test_other_patient_than_asked_for_is_refused() -> None:
    with pytest.raises(InvalidResource, match=r"Patient\.id: is not the patient of this request"):
        read_parts(text(patient(id="p2")))


def test_no_patient_at_all_is_refused_when_none_was_named() -> None:
    with pytest.raises(InvalidResource, match="holds no Patient"):
        read_parts(text(bundle(heart_rate())), patient_id=None)


def test_latest_wins_and_the_earlier_says_so() -> None:
    snapshot = read(heart_rate(128, at=ago(minutes=30)), heart_rate(96, at=ago(minutes=5)))

    assert values(snapshot) == {"heart_rate": 96.0}
    assert unused(snapshot) == {"heart_rate": "superseded"}


@pytest.mark.parametrize(
    "tie_break",
    [
        pytest.param(({"issued": ago(minutes=9)}, {"issued": ago(minutes=8)}), id="issued"),
        pytest.param(({"meta": {"versionId": "9"}}, {"meta": {"versionId": "10"}}), id="version"),
    ],
)
def test_same_moment_is_decided_by_issued_then_version(tie_break: tuple[dict[str, object], ...]) -> None:
    snapshot = read(heart_rate(128, **tie_break[0]), heart_rate(96, **tie_break[1]))

    assert values(snapshot) == {"heart_rate": 96.0}


def test_same_moment_and_nothing_to_decide_uses_none() -> None:
    older = heart_rate(70, at=ago(hours=2))

    snapshot = read(heart_rate(128), heart_rate(96), older)

    assert snapshot.readings == {}
    assert sorted(one.reason for one in snapshot.not_used) == ["conflicting", "conflicting", "superseded"]


def test_same_moment_and_same_value_in_two_units_agree() -> None:
    fahrenheit = observation((LOINC, "8310-5"), valueQuantity=quantity(97.8, "[degF]"))
    celsius = observation((LOINC, "8310-5"), valueQuantity=quantity(36.56, "Cel"))

    assert unused(read(fahrenheit, celsius)) == {"temperature": "superseded"}


def _same_resource(*resources: dict[str, object]) -> dict[str, object]:
    url = "https://ehr.example.org/fhir/Observation/o1"
    entries = [{"fullUrl": url, "resource": resource} for resource in resources]
    return bundle() | {"entry": [*entries, {"resource": patient()}, {"resource": encounter()}]}


def test_resource_sent_twice_counts_once() -> None:
    snapshot = read_parts(text(_same_resource(heart_rate(), heart_rate())))

    assert (values(snapshot), snapshot.not_used) == ({"heart_rate": 128.0}, ())


def test_later_version_replaces_the_earlier() -> None:
    first, second = heart_rate(128, meta={"versionId": "1"}), heart_rate(82, meta={"versionId": "2"})

    snapshot = read_parts(text(_same_resource(second, first)))

    assert (values(snapshot), unused(snapshot)) == ({"heart_rate": 82.0}, {"heart_rate": "superseded"})


def test_entered_in_error_withdraws_the_other_copy() -> None:
    snapshot = read_parts(text(_same_resource(heart_rate(), heart_rate(status="entered-in-error"))))

    assert snapshot.readings == {}
    assert {one.reason for one in snapshot.not_used} == {"entered-in-error", "superseded"}


def test_falling_pressure_keeps_the_newer_side() -> None:
    snapshot = read(
        observation((LOINC, "8480-6"), at=ago(minutes=5), valueQuantity=quantity(70, "mm[Hg]")),
        observation((LOINC, "8462-4"), at=ago(hours=1), valueQuantity=quantity(85, "mm[Hg]")),
    )

    assert (values(snapshot), unused(snapshot)) == ({"systolic_bp": 70.0}, {"diastolic_bp": "inconsistent"})


def test_consistent_pressure_is_read_from_a_panel() -> None:
    assert values(read(pressure(132, 82))) == {"systolic_bp": 132.0, "diastolic_bp": 82.0}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([component("3151-8", 2, "L/min")], True, id="flow of 2"),
        pytest.param([component("3151-8", 0, "L/min")], False, id="flow of 0"),
        pytest.param([component("3150-0", 40, "%")], True, id="40 percent"),
        pytest.param([component("3150-0", 21, "%")], False, id="21 percent"),
        pytest.param([component("3151-8", 0, "L/min"), component("3150-0", 40, "%")], None, id="contradiction"),
    ],
)
def test_oxygen_is_told_by_flow_and_concentration(parts: list[dict[str, object]], expected: bool | None) -> None:
    snapshot = read(observation((LOINC, "59408-5"), valueQuantity=quantity(95, "%"), component=parts))

    reading = snapshot.readings.get("on_oxygen")
    assert (None if reading is None else reading.value) is expected
    assert ("on_oxygen" in unused(snapshot)) is (expected is None)


@pytest.mark.parametrize(
    ("code", "members", "expected"),
    [
        (ON_OXYGEN, {}, True),
        (ROOM_AIR, {}, False),
        (ON_OXYGEN, {"valueCodeableConcept": YES}, True),
        (ON_OXYGEN, {"valueCodeableConcept": NO}, False),
        (ON_OXYGEN, {"valueBoolean": False}, False),
        (ROOM_AIR, {"valueCodeableConcept": YES}, False),
    ],
)
def test_oxygen_may_be_said_by_code_alone(code: tuple[str, str], members: dict[str, object], expected: bool) -> None:
    assert values(read(observation(code, **members))) == {"on_oxygen": expected}


@pytest.mark.parametrize(
    ("code", "members", "reason"),
    [
        (ROOM_AIR, {"valueCodeableConcept": NO}, "unknown-value"),
        (ON_OXYGEN, {"dataAbsentReason": concept(("x", "unknown"))}, "no-value"),
        (ON_OXYGEN, {"valueString": "maybe"}, "unknown-value"),
        (ON_OXYGEN, {"status": "entered-in-error"}, "entered-in-error"),
    ],
)
def test_unclear_statement_on_oxygen_is_not_used(
    code: tuple[str, str], members: dict[str, object], reason: str
) -> None:
    assert unused(read(observation(code, **members))) == {"on_oxygen": reason}


def test_later_room_air_overtakes_an_earlier_flow() -> None:
    flow = observation((LOINC, "3151-8"), at=ago(hours=2), valueQuantity=quantity(6, "L/min"))

    snapshot = read(flow, observation(ROOM_AIR, at=ago(minutes=10)))

    assert values(snapshot) == {"on_oxygen": False}
    assert unused(snapshot) == {"oxygen_flow": "superseded"}


def test_readings_carry_time_in_utc_and_source() -> None:
    reading = read(heart_rate(at="2026-03-14T09:40:00+02:00")).readings["heart_rate"]

    assert (reading.time, reading.source) == (AT, "Observation/o1")
