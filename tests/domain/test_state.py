"""The states as tags: what each rests on, and when nothing can be said."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.domain.early_warning import early_warning
from cds_service.domain.patient import Condition, NotUsed
from cds_service.domain.prediction import RiskEstimate, StateTag
from cds_service.domain.state import STATES, STATES_VERSION, state_tags
from tests.factories import HEALTHY, a_risk, a_snapshot, an_unused

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
DIABETES = Condition(ICD, "E11.9", "Condition/1", chronic=True, recorded=date(2019, 5, 2))
FRACTURE = Condition(ICD, "S52.5", "Condition/2", chronic=False)
UNLISTED = Condition(ICD, "QQQ", "Condition/3")
SECONDARY_CANCER = Condition(ICD, "C78.7", "Condition/4", chronic=True, palliative=True)
NOT_DETERMINABLE = StateTag("not-determinable", ("rule",))


def tags(risk: RiskEstimate | None = None, **changes: Any) -> tuple[StateTag, ...]:
    snapshot = a_snapshot(**changes)
    scored = early_warning(snapshot, spread_limit=timedelta(minutes=60))
    return state_tags(snapshot=snapshot, news2=None if isinstance(scored, str) else scored, risk=risk)


@pytest.mark.parametrize(
    ("changes", "risk", "expected"),
    [
        pytest.param({}, a_risk(), StateTag("not-ill", ("score", "model")), id="well"),
        pytest.param({}, None, NOT_DETERMINABLE, id="well-but-no-risk"),
        pytest.param({}, a_risk("moderate"), StateTag("mild", ("model",)), id="moderate-risk-only"),
        pytest.param({}, a_risk("high"), StateTag("acute", ("model",)), id="high-risk-only"),
        pytest.param({"heart_rate": 95.0}, a_risk(), StateTag("mild", ("score",)), id="one-point"),
        pytest.param({"heart_rate": 95.0}, None, StateTag("mild", ("score",)), id="one-point-no-risk"),
        pytest.param(
            {"heart_rate": 95.0}, a_risk("moderate"), StateTag("mild", ("score", "model")), id="point-and-moderate"
        ),
        pytest.param({"consciousness": "C"}, a_risk(), StateTag("acute", ("score",)), id="newly-confused"),
        pytest.param(
            {"heart_rate": 120.0, "temperature": 39.5, "spo2": 95.0},
            a_risk(),
            StateTag("acute", ("score",)),
            id="five-points",
        ),
        pytest.param({"consciousness": "U"}, a_risk("high"), StateTag("acute", ("score", "model")), id="both"),
    ],
)
def test_acuity(changes, risk, expected):
    assert tags(risk, **changes) == (expected,)


@pytest.mark.parametrize("name", [name for name in HEALTHY if name != "diastolic_bp"])
def test_not_ill_needs_every_input(name):
    assert tags(a_risk(), **{name: None}) == (NOT_DETERMINABLE,)


def test_a_point_is_not_mild_while_an_unknown_input_could_be_red():
    assert tags(a_risk(), heart_rate=95.0, consciousness=None) == (NOT_DETERMINABLE,)


def test_a_point_is_mild_when_only_oxygen_is_unknown():
    assert tags(a_risk(), heart_rate=95.0, on_oxygen=None) == (StateTag("mild", ("score",)),)


@pytest.mark.parametrize("heart_rate", [72.0, 95.0])
def test_an_alarming_value_left_out_excludes_nothing(heart_rate):
    left_out = (an_unused("diastolic_bp", alarming=True),)

    assert tags(a_risk(), heart_rate=heart_rate, not_used=left_out) == (NOT_DETERMINABLE,)


def test_a_harmless_value_left_out_changes_nothing():
    assert tags(a_risk(), not_used=(an_unused("weight"),))[0].state == "not-ill"


@pytest.mark.parametrize("changes", [{"age_years": 8.0}, {"age_years": None}, {"sex": "female", "pregnant": True}])
def test_without_news2_acuity_is_not_determinable(changes):
    assert tags(None, heart_rate=95.0, **changes) == (NOT_DETERMINABLE,)
    assert tags(a_risk("moderate"), heart_rate=95.0, **changes) == (NOT_DETERMINABLE,)


def test_a_high_risk_is_acute_even_without_news2():
    assert tags(a_risk("high"), sex="female", pregnant=True) == (StateTag("acute", ("model",)),)


def test_states_coexist():
    found = tags(a_risk("high"), conditions=(DIABETES, FRACTURE, UNLISTED, SECONDARY_CANCER))

    assert found == (
        StateTag("acute", ("model",)),
        StateTag("chronic", ("record",), ("E11.9 (2019)", "C78.7")),
        StateTag("terminal", ("record",), ("C78.7",)),
    )


@pytest.mark.parametrize("conditions", [None, (), (FRACTURE,), (UNLISTED,)])
def test_chronic_and_terminal_come_only_from_a_record(conditions):
    assert [tag.state for tag in tags(a_risk(), age_years=95.0, conditions=conditions)] == ["not-ill"]


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "heart_rate": st.none() | st.floats(10, 350),
            "spo2": st.none() | st.floats(30, 100),
            "on_oxygen": st.none() | st.booleans(),
            "consciousness": st.none() | st.sampled_from("ACVPU"),
            "age_years": st.none() | st.floats(0, 110),
            "conditions": st.sampled_from([None, (DIABETES,), (SECONDARY_CANCER,)]),
        },
    ),
    st.sampled_from([None, a_risk("low"), a_risk("moderate"), a_risk("high")]),
)
def test_one_acuity_always_and_a_basis_always(changes, risk):
    found = tags(risk, **changes)

    assert [tag.state for tag in found if tag.state not in ("chronic", "terminal")] == [found[0].state]
    assert all(tag.basis and tag.state in STATES for tag in found)
    assert STATES_VERSION


def test_a_vital_sign_that_could_not_be_read_keeps_the_state_open():
    unread = an_unused("spo2", NotUsed.UNKNOWN_UNIT)

    assert tags(a_risk(), not_used=(unread,)) == (NOT_DETERMINABLE,)
