"""Flat records: what a form, a REST call or an imported row says becomes a snapshot, or a clear refusal."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.domain.codes import ICD10CM, SNOMED
from cds_service.domain.patient import NotUsed, PatientSnapshot
from cds_service.domain.policy import ReadingPolicy
from cds_service.domain.vitals import VITAL_SIGNS
from cds_service.errors import BadRequest
from cds_service.records.reader import FIELDS, snapshot_from_record
from cds_service.records.readings import QUANTITIES
from tests.factories import AT, code_tables

TABLES = code_tables(
    chronic={"E11": True, "S52": False},
    categories={"E11": "diabetes-type-2", "J45": "asthma"},
    complaints={ICD10CM: {"R07": "chest-pain"}, SNOMED: {"29857009": "chest-pain"}},
    complaint_words={"dolor de pecho": "chest-pain"},
)


def read(at: datetime = AT, **record: Any) -> PatientSnapshot:
    return snapshot_from_record(record, at=at, policy=ReadingPolicy(), tables=TABLES)


def left_out(snapshot: PatientSnapshot) -> list[tuple[str, NotUsed, bool]]:
    return [(reading.name, reading.reason, reading.alarming) for reading in snapshot.not_used]


DECIDED = {"spo2_scale_by": "Dr R", "spo2_scale_at": (AT - timedelta(minutes=20)).isoformat()}


def test_scale_two_is_taken_from_a_dated_decision_of_somebody():
    assert read(spo2=90, spo2_scale=2, **DECIDED).spo2_scale == 2
    assert read(spo2=90, spo2_scale=1, **DECIDED).spo2_scale == 1
    assert read(spo2=90, **DECIDED).spo2_scale == 1


@pytest.mark.parametrize("missing", [["spo2_scale_by"], ["spo2_scale_at"], ["spo2_scale_by", "spo2_scale_at"]])
@pytest.mark.parametrize("blank", [None, ""])
def test_scale_two_without_who_or_when_is_refused(missing: list[str], blank: str | None):
    record = DECIDED | dict.fromkeys(missing, blank)

    with pytest.raises(BadRequest, match=r"spo2_scale_by .* spo2_scale_at") as refusal:
        read(spo2=90, spo2_scale=2, **record)

    assert refusal.value.where == "spo2_scale"


def test_a_decision_for_scale_two_that_is_too_old_counts_no_more_and_that_is_said():
    snapshot = read(spo2=90, spo2_scale=2, **DECIDED | {"spo2_scale_at": (AT - timedelta(days=2)).isoformat()})

    assert (snapshot.spo2_scale, snapshot.remarks) == (1, ("spo2-scale-record-not-current",))


def test_a_whole_record():
    snapshot = read(
        patient_id="4711", age=71, sex="female", heart_rate=98, temperature="38,4", blood_pressure=104,
        diastolic_bp=60, respiratory_rate=22, spo2=93, on_oxygen=False, consciousness="C", spo2_scale=2,
        spo2_scale_by="Dr R", spo2_scale_at="2026-03-14T10:20:00+02:00",
        pregnant=False, ambulance=True, complaint="R07.9", conditions=["E11.9", "S52.5"],
        observed_at="2026-03-14T10:25:00+02:00",
    )  # fmt: skip

    assert {name: reading.value for name, reading in snapshot.readings.items()} == {
        "heart_rate": 98.0, "temperature": 38.4, "systolic_bp": 104.0, "diastolic_bp": 60.0, "respiratory_rate": 22.0,
        "spo2": 93.0, "on_oxygen": False, "consciousness": "C",
    }  # fmt: skip
    assert {reading.time for reading in snapshot.readings.values()} == {datetime(2026, 3, 14, 8, 25, tzinfo=UTC)}
    assert (snapshot.age_years, snapshot.sex, snapshot.pregnant, snapshot.spo2_scale) == (71.0, "female", False, 2)
    assert (snapshot.encounter_class, snapshot.arrived_by_ambulance) == ("EMER", True)
    assert (snapshot.complaint_group, snapshot.chronic_count) == ("chest-pain", 1)
    assert [(condition.code, condition.chronic) for condition in snapshot.conditions or ()] == [
        ("E11.9", True),
        ("S52.5", False),
    ]
    assert snapshot.identity.patient_id == "4711"
    assert snapshot.not_used == ()


def test_nothing_given_is_nothing_known():
    snapshot = read(heart_rate="", temperature=None)

    assert snapshot == PatientSnapshot(at=AT, identity=snapshot.identity, readings={}, encounter_class="EMER")


@pytest.mark.parametrize(
    ("record", "name", "value", "original"),
    [
        ({"temperature": 101.3, "temperature_unit": "[degF]"}, "temperature", 38.5, "101.3 [degF]"),
        ({"temperature": "98,6", "temperature_unit": "F"}, "temperature", 37.0, "98.6 F"),
        ({"blood_pressure": 16, "blood_pressure_unit": "kPa"}, "systolic_bp", 120.0, "16 kPa"),
        ({"weight": "150", "weight_unit": "lb"}, "weight", 68.04, "150 lb"),
        ({"height": 70, "height_unit": "[in_i]"}, "height", 177.8, "70 [in_i]"),
        ({"heart_rate": " 72 "}, "heart_rate", 72.0, "72 /min"),
        ({"gcs_total": 15}, "gcs_total", 15.0, "15 {score}"),
    ],
)
def test_units_are_converted_and_the_original_is_kept(record, name, value, original):
    reading = read(**record).readings[name]

    assert reading.value == pytest.approx(value, abs=0.02)
    assert reading.original == original


@pytest.mark.parametrize(("name", "share", "percent"), [("spo2", "0,94", 94.0), ("oxygen_concentration", 0.4, 40.0)])
def test_a_share_of_one_is_a_percentage_with_a_remark(name, share, percent):
    reading = read(**{name: share, f"{name}_unit": "1"}).readings[name]

    assert (reading.value, reading.flags) == (pytest.approx(percent), ("from-share",))


def test_a_share_over_one_is_not_guessed_at():
    assert left_out(read(spo2=94, spo2_unit="1")) == [("spo2", NotUsed.UNKNOWN_UNIT, False)]


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_quantity_is_read_at_both_ends_of_its_range(name):
    sign = VITAL_SIGNS[name]

    for value in (sign.low if sign.usable_low is None else sign.usable_low, sign.high):
        assert read(**{name: value}).readings[name].value == value


@pytest.mark.parametrize(
    ("said", "level"), [*((letter, letter) for letter in "ACVPU"), ("alert", "A"), ("Confusion", "C"), ("v", "V")]
)
def test_an_alert_on_a_form_that_offers_confusion_has_considered_it(said, level):
    reading = read(consciousness=said).readings["consciousness"]

    assert (reading.value, reading.flags) == (level, ())


@pytest.mark.parametrize("group", ["A+", "ab-", "O", "B"])
def test_a_blood_group_may_be_said_without_its_rhesus_factor(group):
    assert read(blood_group=group).readings["blood_group"].value == group.upper()


@pytest.mark.parametrize(
    ("name", "value", "alarming"),
    [
        ("heart_rate", 0, True),
        ("temperature", 98.6, False),
        ("temperature", 24, True),
        ("spo2", 20, True),
        ("systolic_bp", 0, True),
        ("respiratory_rate", -100, False),
        ("heart_rate", 8388607, False),
        ("weight", 0, False),
        ("oxygen_concentration", 0.4, False),
    ],
)
def test_an_impossible_value_is_left_out_not_refused(name, value, alarming):
    snapshot = read(**{name: value})

    assert snapshot.readings == {}
    assert left_out(snapshot) == [(name, NotUsed.IMPLAUSIBLE, alarming)]


def test_the_reason_says_the_range():
    assert read(spo2=20).not_used[0].detail == "under 30 %"
    assert read(heart_rate=8388607).not_used[0].detail == "outside 10 to 350 /min"
    assert read(heart_rate=8388607).not_used[0].original == "8388607 /min"


def test_an_unknown_unit_is_left_out_by_name():
    (unused,) = read(height=1.2, height_unit="furlong").not_used

    assert (unused.reason, unused.detail) == (NotUsed.UNKNOWN_UNIT, "furlong")


@pytest.mark.parametrize(("systolic", "diastolic"), [(80, 120), (90, 90)])
def test_a_diastolic_not_below_the_systolic_spoils_both(systolic, diastolic):
    snapshot = read(systolic_bp=systolic, diastolic_bp=diastolic, heart_rate=72)

    assert set(snapshot.readings) == {"heart_rate"}
    assert left_out(snapshot) == [(name, NotUsed.INCONSISTENT, True) for name in ("systolic_bp", "diastolic_bp")]


@pytest.mark.parametrize(
    ("record", "expected", "flags"),
    [
        ({}, None, ()),
        ({"on_oxygen": "no"}, False, ()),
        ({"on_oxygen": "sí"}, True, ()),
        ({"oxygen_flow": 2}, True, ("from-flow",)),
        ({"oxygen_flow": 0}, False, ("from-flow",)),
        ({"oxygen_concentration": 21}, False, ("from-concentration",)),
        ({"oxygen_concentration": 40}, True, ("from-concentration",)),
        ({"oxygen_flow": 2, "on_oxygen": True}, True, ()),
    ],
)
def test_oxygen_is_said_or_follows_from_flow_and_concentration(record, expected, flags):
    reading = read(**record).readings.get("on_oxygen")

    assert (None if reading is None else reading.value) is expected
    assert reading is None or reading.flags == flags


@pytest.mark.parametrize("record", [{"oxygen_concentration": 0.4}, {"oxygen_flow": 8000}])
def test_an_impossible_flow_or_concentration_says_nothing_of_oxygen(record):
    assert "on_oxygen" not in read(**record).readings


@pytest.mark.parametrize(
    "record",
    [
        {"on_oxygen": False, "oxygen_flow": 2},
        {"on_oxygen": True, "oxygen_flow": 0},
        {"oxygen_flow": 0, "oxygen_concentration": 40},
    ],
)
def test_statements_on_oxygen_that_disagree_are_all_left_out(record):
    snapshot = read(**record)

    assert "on_oxygen" not in snapshot.readings
    assert left_out(snapshot) == [("on_oxygen", NotUsed.CONFLICTING, False)] * 2


@pytest.mark.parametrize(
    ("age", "used"), [(timedelta(hours=4), {"heart_rate", "weight"}), (timedelta(hours=5), {"weight"})]
)
def test_an_old_reading_is_stale_in_an_emergency(age, used):
    snapshot = read(heart_rate=72, weight=80, observed_at=(AT - age).isoformat())

    assert set(snapshot.readings) == used


@pytest.mark.parametrize(
    ("complaint", "group"),
    [("R07.4", "chest-pain"), ("29857009", "chest-pain"), ("Dolor de pecho", "chest-pain"), ("?", None)],
)
def test_a_complaint_is_a_code_or_words(complaint, group):
    assert read(complaint=complaint).complaint_group == group


@pytest.mark.parametrize(
    ("conditions", "count"),
    [(None, None), ([], 0), ("E11.9, E11.65", 1), (["E11.9", "J45.2"], 2), (["QQQ"], 0)],
)
def test_conditions_that_were_not_read_are_not_none_at_all(conditions, count):
    assert read(conditions=conditions).chronic_count == count


def test_a_chronic_count_may_be_given():
    assert read(chronic_count="3").chronic_count == 3


def test_a_palliative_code_is_marked():
    assert [condition.palliative for condition in read(conditions=["Z51.5", "E11"]).conditions or ()] == [True, False]


def short(part: Any) -> str:
    return "a-long-integer" if isinstance(part, int) and abs(part) > 10**99 else repr(part)[:24]


BAD = [
    ("heart_rate", "Jane Doe"),
    ("heart_rate", "7 2"),
    ("heart_rate", "1_28"),
    ("heart_rate", "1e3"),
    ("heart_rate", "７２"),
    ("heart_rate", "NaN"),
    ("heart_rate", float("nan")),
    ("heart_rate", float("inf")),
    ("heart_rate", 10**400),
    ("heart_rate", True),
    ("heart_rate", [72]),
    ("heart_rate", {"value": 72}),
    ("heart_rate", ">60"),
    ("age", -1),
    ("age", 131),
    ("sex", "Jane Doe"),
    ("sex", 1),
    ("on_oxygen", "Jane Doe"),
    ("on_oxygen", 2),
    ("on_oxygen", 10**5000),
    ("on_oxygen", {"value": True}),
    ("consciousness", "Jane Doe"),
    ("spo2_scale", 3),
    ("spo2_scale", 1.5),
    ("spo2_scale_by", 7),
    ("spo2_scale_at", "2026-03-14T08:25:00"),
    ("spo2_scale_at", "2030-01-01T00:00:00Z"),
    ("pregnant", "maybe"),
    ("ambulance", []),
    ("encounter_class", "Jane Doe"),
    ("blood_group", "Jane Doe"),
    ("complaint", 7),
    ("complaint", "x" * 201),
    ("complaint", "a\0b"),
    ("conditions", 7),
    ("conditions", [7]),
    ("conditions", ["Jane Doe"]),
    ("conditions", ["E11.9"] * 201),
    ("chronic_count", 1.5),
    ("chronic_count", -1),
    ("observed_at", "2026-03-14T08:40:00"),
    ("observed_at", "2026-03-14"),
    ("observed_at", "2026-13-14T08:40:00Z"),
    ("observed_at", "0001-01-01T00:00:00+14:00"),
    ("observed_at", "2026-03-14T08:46:00Z"),
    ("observed_at", 7),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=short)
def test_what_cannot_be_read_is_refused_by_name_without_its_value(name, value):
    with pytest.raises(BadRequest) as refused:
        read(**{name: value})

    assert refused.value.where == name
    assert "Jane" not in str(refused.value)


@pytest.mark.parametrize(
    ("record", "where"),
    [
        ({"pulse": 72}, "pulse"),
        ({"<script>": 1}, "script"),
        ({"\n": 1}, "a field"),
        ({"x" * 99: 1}, "x" * 40),
        ({"temperature_unit": "F"}, "temperature_unit"),
        ({"blood_pressure": 120, "systolic_bp": 121}, "systolic_bp"),
        ({"consciousness_unit": "F"}, "consciousness_unit"),
    ],
)
def test_a_field_that_is_not_known_or_not_alone_is_refused(record, where):
    with pytest.raises(BadRequest) as refused:
        read(**record)

    assert refused.value.where == where


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


MARK = "Jane Doe 4711"


def refusal(**record: Any) -> BadRequest | None:
    try:
        read(**record)
    except BadRequest as refused:
        return refused
    return None


def marked(value: Any) -> Any:
    """The same value with a patient's name in every text of it."""
    if isinstance(value, str):
        return value + MARK
    if isinstance(value, list):
        return [marked(inner) for inner in value]
    if isinstance(value, dict):
        return {marked(key): marked(inner) for key, inner in value.items()}
    return value


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)) | st.text(max_size=8), JSON, max_size=6))
def test_any_record_is_read_or_refused(record):
    with suppress(BadRequest):
        assert snapshot_from_record(record, at=AT, policy=ReadingPolicy(), tables=TABLES).at == AT


@given(st.sampled_from(sorted(FIELDS)), JSON.map(marked))
def test_a_refusal_never_repeats_what_was_sent(name, value):
    said = refusal(**{name: value})

    assert said is None or MARK not in f"{said} {said.text} {said.where} {said.details}"


@given(st.floats(30, 42), st.sampled_from([".", ","]))
def test_a_number_reads_the_same_as_json_and_as_text(value, point):
    as_text = read(temperature=f"{value:.2f}".replace(".", point))

    assert as_text.readings["temperature"].value == read(temperature=round(value, 2)).readings["temperature"].value
