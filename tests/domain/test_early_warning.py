"""NEWS2 as the chart has it, and as bounds where inputs are missing. Source: RCP 2017, chart 1."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.domain.early_warning import PARAMETERS, early_warning
from cds_service.domain.patient import PatientSnapshot, Reading
from cds_service.domain.prediction import EarlyWarning
from tests.factories import HEALTHY, a_reading, a_snapshot

HOUR = timedelta(minutes=60)
INPUTS = tuple(name for name in HEALTHY if name != "diastolic_bp")


def news2(snapshot: PatientSnapshot) -> EarlyWarning:
    scored = early_warning(snapshot, spread_limit=HOUR)
    assert isinstance(scored, EarlyWarning)
    return scored


def boundaries(name: str, values: str, points: str) -> list[Any]:
    """Cases of one chart row, named as a clinician would say them: `spo2 91 scores 3`."""
    return [
        pytest.param(name, float(value), int(given), id=f"{name} {value} scores {given}")
        for value, given in zip(values.split("/"), points.split("/"), strict=True)
    ]


CHART = [
    *boundaries("respiratory_rate", "1/8/9/11/12/20/21/24/25/120", "3/3/1/1/0/0/2/2/3/3"),
    *boundaries("spo2", "30/91/92/93/94/95/96/100", "3/3/2/2/1/1/0/0"),
    *boundaries("systolic_bp", "30/90/91/100/101/110/111/219/220/320", "3/3/2/2/1/1/0/0/3/3"),
    *boundaries("heart_rate", "10/40/41/50/51/90/91/110/111/130/131/350", "3/3/1/1/0/0/1/1/2/2/3/3"),
    *boundaries("temperature", "25/35.0/35.1/36.0/36.1/38.0/38.1/39.0/39.1/45", "3/3/1/1/0/0/1/1/2/2"),
]
SCALE_2_ON_AIR = boundaries("spo2", "83/84/85/86/87/88/92/93/94/95/96/97/100", "3/2/2/1/1/0/0/0/0/0/0/0/0")
SCALE_2_ON_OXYGEN = boundaries("spo2", "83/84/85/86/87/88/92/93/94/95/96/97/100", "3/2/2/1/1/0/0/1/1/2/2/3/3")


@pytest.mark.parametrize(("name", "value", "points"), CHART)
def test_every_boundary_of_the_chart(name, value, points):
    scored = news2(a_snapshot(**{name: value}))

    assert scored.points["pulse" if name == "heart_rate" else name] == points
    assert (scored.lower, scored.upper) == (points, points)


@pytest.mark.parametrize(("name", "value", "points"), SCALE_2_ON_AIR)
def test_every_boundary_of_scale_2_on_air(name, value, points):
    scored = news2(a_snapshot(**{name: value}, spo2_scale=2))

    assert (scored.points["spo2"], scored.lower, scored.scale) == (points, points, 2)


@pytest.mark.parametrize(("name", "value", "points"), SCALE_2_ON_OXYGEN)
def test_every_boundary_of_scale_2_on_oxygen(name, value, points):
    scored = news2(a_snapshot(**{name: value}, on_oxygen=True, spo2_scale=2))

    assert (scored.points["spo2"], scored.lower) == (points, points + 2)


@pytest.mark.parametrize(("level", "points"), [("A", 0), ("C", 3), ("V", 3), ("P", 3), ("U", 3)])
def test_consciousness(level, points):
    assert news2(a_snapshot(consciousness=level)).lower == points


@pytest.mark.parametrize(
    ("name", "value", "points"),
    [
        ("temperature", 38.05, 1),
        ("temperature", 38.04, 0),
        ("temperature", 35.05, 1),
        ("temperature", 35.04, 3),
        ("temperature", 36.05, 0),
        ("temperature", 39.05, 2),
        ("temperature", 100.4 * 5 / 9 - 160 / 9, 0),  # 38.0 Cel, sent in Fahrenheit
        ("temperature", 100.49 * 5 / 9 - 160 / 9, 1),  # 38.05 Cel
        ("respiratory_rate", 20.5, 2),
        ("respiratory_rate", 20.49, 0),
        ("heart_rate", 40.5, 1),
        ("spo2", 95.5, 0),
        ("spo2", 91.4, 3),
        ("systolic_bp", 90.5, 2),
        ("systolic_bp", 16 * 1000 / 133.322387415, 0),  # 16 kPa
    ],
)
def test_values_are_rounded_half_up_to_the_chart(name, value, points):
    assert news2(a_snapshot(**{name: value})).lower == points


@pytest.mark.parametrize(
    ("changes", "lower", "level", "red"),
    [
        ({}, 0, "low", ()),
        ({"heart_rate": 112.0, "temperature": 39.5}, 4, "low", ()),
        ({"consciousness": "C"}, 3, "low-medium", ("consciousness",)),
        ({"heart_rate": 135.0, "temperature": 38.5}, 4, "low-medium", ("pulse",)),
        ({"on_oxygen": True, "respiratory_rate": 22.0, "heart_rate": 95.0}, 5, "medium", ()),
        ({"consciousness": "V", "respiratory_rate": 22.0, "heart_rate": 95.0}, 6, "medium", ("consciousness",)),
        ({"consciousness": "U", "respiratory_rate": 22.0, "heart_rate": 115.0}, 7, "high", ("consciousness",)),
    ],
    ids=["well", "four-no-red", "new-confusion", "fast-pulse", "five", "six", "seven"],
)
def test_levels_and_single_red_scores(changes, lower, level, red):
    scored = news2(a_snapshot(**changes))

    assert (scored.lower, scored.level, scored.red) == (lower, level, red)
    assert scored.complete
    assert scored.upper_level == level


def test_the_most_is_20():
    worst = {"respiratory_rate": 30.0, "spo2": 80.0, "on_oxygen": True, "systolic_bp": 80.0, "temperature": 34.0}

    assert news2(a_snapshot(**worst, heart_rate=150.0, consciousness="U")).lower == 20


def test_a_lower_bound_names_what_is_unknown():
    scored = news2(
        a_snapshot(
            respiratory_rate=26.0, spo2=91.0, heart_rate=128.0, systolic_bp=132.0,
            temperature=None, consciousness=None, on_oxygen=None,
        )
    )  # fmt: skip

    assert (scored.lower, scored.upper) == (8, 16)
    assert scored.unknown == ("on_oxygen", "consciousness", "temperature")
    assert not scored.complete


@pytest.mark.parametrize("name", INPUTS)
def test_one_unknown_input_widens_the_bounds_by_its_most(name):
    scored = news2(a_snapshot(**{name: None}))

    assert (scored.lower, scored.upper) == (0, 2 if name == "on_oxygen" else 3)
    assert scored.upper_level == ("low" if name == "on_oxygen" else "low-medium")


@pytest.mark.parametrize(
    ("spo2", "points", "upper"), [(92.0, 0, 2), (93.0, None, 3), (95.0, None, 4), (97.0, None, 5), (83.0, 3, 5)]
)
def test_scale_2_without_an_oxygen_flag(spo2, points, upper):
    scored = news2(a_snapshot(spo2=spo2, on_oxygen=None, spo2_scale=2))

    assert scored.points["spo2"] == points
    assert (scored.lower, scored.upper) == (points or 0, upper)


@pytest.mark.parametrize("scale", [1, 0, 3])
def test_only_a_recorded_2_is_scale_2(scale):
    scored = news2(a_snapshot(spo2=90.0, spo2_scale=scale))

    assert (scored.points["spo2"], scored.scale) == (3, 1)


def test_heart_rate_comes_before_pulse():
    assert news2(a_snapshot(heart_rate=72.0, pulse_rate=140.0)).points["pulse"] == 0
    assert news2(a_snapshot(heart_rate=None, pulse_rate=140.0)).points["pulse"] == 3


def test_gcs_15_is_alert_with_a_remark():
    scored = news2(a_snapshot(consciousness=None, gcs_total=15.0))

    assert scored.points["consciousness"] == 0
    assert scored.remarks == ("consciousness-from-gcs", "confusion-not-asked")


@pytest.mark.parametrize("total", [3.0, 13.0, 14.0])
def test_another_gcs_says_nothing_of_acvpu(total):
    scored = news2(a_snapshot(consciousness=None, gcs_total=total))

    assert scored.unknown == ("consciousness",)
    assert scored.remarks == ("glasgow-not-full",)


def test_alert_beside_a_low_glasgow_total_is_not_taken_for_alert():
    scored = news2(a_snapshot(consciousness="A", gcs_total=6.0))

    assert scored.unknown == ("consciousness",)
    assert scored.remarks == ("glasgow-not-full",)


def test_an_older_low_glasgow_total_does_not_outweigh_alert():
    glasgow = a_reading("gcs_total", 6.0, minutes_ago=180)

    scored = news2(a_snapshot(consciousness="A", gcs_total=glasgow))

    assert scored.points["consciousness"] == 0


def test_the_newer_of_heart_rate_and_pulse_is_scored():
    old = a_reading("heart_rate", 70.0, minutes_ago=180)

    scored = news2(a_snapshot(heart_rate=old, pulse_rate=145.0))

    assert scored.points["pulse"] == 3


def test_acvpu_comes_before_gcs():
    assert news2(a_snapshot(consciousness="C", gcs_total=15.0)).points["consciousness"] == 3


def test_alert_on_a_scale_without_confusion_scores_with_a_remark():
    scored = news2(a_snapshot(consciousness=a_reading("consciousness", "A", flags=("confusion-not-asked",))))

    assert (scored.points["consciousness"], scored.remarks) == (0, ("confusion-not-asked",))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"age_years": None}, "age-unknown"),
        ({"age_years": 15.99}, "under-16"),
        ({"age_years": 0.0}, "under-16"),
        ({"sex": "female", "pregnant": True}, "pregnant"),
        (dict.fromkeys(INPUTS), "no-inputs"),
    ],
)
def test_who_gets_no_score(changes, reason):
    assert early_warning(a_snapshot(**changes), spread_limit=HOUR) == reason


@pytest.mark.parametrize(
    ("age", "sex", "pregnant", "is_said"),
    [
        (16.0, "female", None, True),
        (55.9, "female", None, True),
        (56.0, "female", None, False),
        (30.0, "female", False, False),
        (30.0, "male", None, False),
    ],
)
def test_an_unknown_pregnancy_is_said(age, sex, pregnant, is_said):
    scored = news2(a_snapshot(age_years=age, sex=sex, pregnant=pregnant))

    assert ("pregnancy-unknown" in scored.remarks) is is_said


@pytest.mark.parametrize(("minutes", "spread", "composed"), [(70, 60.0, False), (71, 61.0, True)])
def test_a_set_over_the_spread_is_composed(minutes, spread, composed):
    scored = news2(a_snapshot(temperature=a_reading("temperature", 36.8, minutes_ago=minutes)))

    assert (scored.spread_min, scored.composed) == (spread, composed)


def test_what_is_not_scored_does_not_widen_the_spread():
    old = {name: a_reading(name, 70.0, minutes_ago=200) for name in ("weight", "diastolic_bp", "pulse_rate")}

    assert news2(a_snapshot(**old)).spread_min == 0


ANY = {
    "heart_rate": st.floats(10, 350),
    "respiratory_rate": st.floats(1, 120),
    "temperature": st.floats(25, 45),
    "systolic_bp": st.floats(30, 320),
    "spo2": st.floats(30, 100),
    "on_oxygen": st.booleans(),
    "consciousness": st.sampled_from("ACVPU"),
}


@given(st.fixed_dictionaries(ANY), st.sets(st.sampled_from(INPUTS), max_size=6), st.sampled_from([1, 2]))
def test_bounds_hold_whatever_is_missing(values, missing, scale):
    whole = news2(a_snapshot(**values, spo2_scale=scale))

    part = early_warning(a_snapshot(**values | dict.fromkeys(missing), spo2_scale=scale), spread_limit=HOUR)

    if isinstance(part, str):  # what is left can only be an SpO2 on scale 2 that waits for the oxygen flag
        assert (part, scale, missing) == ("no-inputs", 2, set(INPUTS) - {"spo2"})
        return
    assert part.lower <= whole.lower <= part.upper
    assert whole.lower == whole.upper == sum(points or 0 for points in whole.points.values())
    assert set(part.red) <= set(whole.red)
    assert tuple(part.points) == PARAMETERS


@given(st.fixed_dictionaries(ANY), st.sampled_from([1, 2]), st.data())
def test_one_more_value_never_widens_the_bounds(values, scale, data):
    order = data.draw(st.permutations(INPUTS))
    known = [a_snapshot(**values | dict.fromkeys(order[count:]), spo2_scale=scale) for count in range(2, 8)]

    for fewer, more in pairwise(map(news2, known)):
        assert fewer.lower <= more.lower <= more.upper <= fewer.upper


WORSE = [
    ("spo2", -1, 30, 100),
    ("respiratory_rate", 1, 12, 120),
    ("respiratory_rate", -1, 1, 20),
    ("systolic_bp", -1, 30, 219),
    ("heart_rate", 1, 51, 350),
    ("heart_rate", -1, 10, 90),
    ("temperature", 1, 36.1, 45),
    ("temperature", -1, 25, 38.0),
]


@given(st.sampled_from(WORSE), st.data())
def test_one_worse_value_never_lowers_the_points(row, data):
    name, direction, low, high = row
    better, worse = sorted(data.draw(st.tuples(*[st.floats(low, high)] * 2)), reverse=direction < 0)

    assert news2(a_snapshot(**{name: better})).lower <= news2(a_snapshot(**{name: worse})).lower


@given(st.fixed_dictionaries(ANY))
def test_being_on_oxygen_never_lowers_the_points(values):
    for scale in (1, 2):
        on_air, on_oxygen = (news2(a_snapshot(**values | {"on_oxygen": on}, spo2_scale=scale)) for on in (False, True))

        assert on_oxygen.lower >= on_air.lower + 2


def test_readings_are_left_as_they_were():
    snapshot = a_snapshot(temperature=38.05)
    copy = replace(snapshot)

    news2(snapshot)

    assert snapshot == copy
    assert isinstance(snapshot.readings["temperature"], Reading)
    assert snapshot.readings["temperature"].value == 38.05
