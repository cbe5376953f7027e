from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.cdshooks.cards import cards_from_prediction, indicator
from cds_service.cdshooks.complaint_words import COMPLAINTS
from cds_service.cdshooks.override_reasons import NON_ADHERENCE, OWN_REASONS
from cds_service.cdshooks.prefetch import Note, NoteKind
from cds_service.domain.complaints import COMPLAINT_GROUPS
from cds_service.domain.features import FEATURES
from cds_service.domain.patient import NotUsed
from cds_service.domain.prediction import Driver, Prediction, StateTag
from cds_service.domain.vitals import ALARMING
from cds_service.vocabulary import OTHER_NAMES, REASONS, VITALS
from tests.cdshooks.builders import (
    AT,
    PARAMETERS,
    a_news2,
    a_prediction,
    a_reading,
    a_risk,
    a_snapshot,
    an_unused,
)
from tests.cdshooks.cases import CASES

URL = "https://cds.example.org"
LANGUAGES = ("en", "es")
ACUTE = (StateTag("acute", ("score",)),)


def sent(prediction: Prediction, language: str = "en", **more: Any) -> bytes:
    """The cards as a reply holds them."""
    return msgspec.json.encode(cards_from_prediction(prediction, language=language, public_url=URL, **more))


def card(prediction: Prediction, language: str = "en", **more: Any) -> dict[str, Any]:
    only: dict[str, Any]
    (only,) = json.loads(sent(prediction, language, **more))
    return only


_text = st.text(max_size=80)
_unused = st.builds(
    an_unused,
    st.sampled_from([*VITALS, "urine-output"]) | _text,
    st.sampled_from(NotUsed),
    _text,
    source=_text,
    detail=_text,
    alarming=st.booleans(),
    time=st.none() | st.just(AT - timedelta(days=3)),
)
_points = st.fixed_dictionaries({name: st.none() | st.integers(0, 3) for name in PARAMETERS})
_levels = st.sampled_from(["low", "low-medium", "medium", "high"])
_news2 = st.none() | st.builds(
    a_news2,
    points=_points,
    upper=st.integers(0, 20),
    level=_levels,
    upper_level=_levels,
    composed=st.booleans(),
    remarks=st.lists(_text, max_size=2).map(tuple),
)
_drivers = st.lists(
    st.builds(Driver, st.sampled_from(FEATURES) | _text, st.none() | st.floats(0, 300) | _text, st.floats(-2, 2)),
    max_size=11,
).map(tuple)
_risk = st.none() | st.builds(a_risk, st.floats(0, 1), st.sampled_from(["low", "moderate", "high"]) | _text, _drivers)
_tags = st.lists(
    st.builds(StateTag, st.sampled_from(["acute", "not-ill"]) | _text, st.just(("score",)), st.tuples(_text)),
    max_size=3,
).map(tuple)
_predictions = st.builds(
    lambda unused, remarks, **more: a_prediction(snapshot=a_snapshot(not_used=unused, remarks=remarks), **more),
    st.lists(_unused, max_size=12).map(tuple),
    st.lists(_text, max_size=3).map(tuple),
    news2=_news2,
    news2_omitted=st.sampled_from(["pregnant", "age-unknown", ""]) | _text,
    risk=_risk,
    risk_omitted=_text,
    states=_tags,
    would_help=st.lists(_text, max_size=5).map(tuple),
    model_version=st.sampled_from(["1.0.0", "1.0.0-rc.1"]) | _text,
)


@given(_predictions, st.sampled_from(LANGUAGES))
def test_every_card_keeps_the_schema(prediction: Prediction, language: str) -> None:
    for shown in json.loads(sent(prediction, language)):
        assert 0 < len(shown["summary"]) < 140
        assert "\n" not in shown["summary"]
        assert shown["indicator"] in ("info", "warning", "critical")
        assert shown["source"]["label"]
        assert all(link["type"] == "absolute" and link["url"].startswith(URL) for link in shown["links"])
        assert all(reason["code"] and reason["system"] and reason["display"] for reason in shown["overrideReasons"])
        assert not re.search("[<>&]", shown["summary"] + shown["detail"])
        assert json.dumps(shown, ensure_ascii=False).encode("utf-8")


@given(_predictions, st.sampled_from(LANGUAGES))
def test_same_prediction_gives_the_same_bytes(prediction: Prediction, language: str) -> None:
    assert sent(prediction, language) == sent(prediction, language)


INDICATORS = [
    ("NEWS2 7", a_prediction(news2=a_news2(level="high")), "critical"),
    ("high band", a_prediction(risk=a_risk(0.2, "high")), "critical"),
    ("NEWS2 5", a_prediction(news2=a_news2(level="medium")), "warning"),
    ("a single 3", a_prediction(news2=a_news2(level="low-medium")), "warning"),
    ("moderate band", a_prediction(risk=a_risk(0.05, "moderate")), "warning"),
    (
        "alarming value",
        a_prediction(snapshot=a_snapshot(not_used=(an_unused("spo2", NotUsed.IMPLAUSIBLE, "0 %", alarming=True),))),
        "warning",
    ),
    (
        "every vital sign impossible",
        a_prediction(
            snapshot=a_snapshot(
                values={},
                not_used=tuple(an_unused(name, NotUsed.IMPLAUSIBLE, "0", alarming=True) for name in sorted(ALARMING)),
            ),
            news2=None,
            risk=None,
        ),
        "warning",
    ),
    ("could reach 7", a_prediction(news2=a_news2(upper=12, upper_level="high")), "info"),
    ("nothing", a_prediction(news2=None, risk=None), "info"),
]


@pytest.mark.parametrize(("name", "prediction", "expected"), INDICATORS, ids=[name for name, *_ in INDICATORS])
def test_indicator_follows_the_policy(name: str, prediction: Prediction, expected: str) -> None:
    assert indicator(prediction) == expected


def test_low_risk_never_hides_a_news2_threshold() -> None:
    shown = card(a_prediction(news2=a_news2(level="medium"), risk=a_risk(0.001, "low"), states=ACUTE))

    assert "urgent threshold" in shown["summary"]
    assert shown["indicator"] == "warning"


HEALTHY = a_prediction()
SPEAKING = [
    ("another state", HEALTHY._replace(states=(*HEALTHY.states, StateTag("chronic", ("record",)))), ()),
    ("no state at all", HEALTHY._replace(states=()), ()),
    ("a note", HEALTHY, (Note(NoteKind.QUERY_FAILED, "conditions"),)),
    ("a record of a death", HEALTHY._replace(snapshot=a_snapshot(remarks=("patient-deceased",))), ()),
    ("another patient's data", HEALTHY._replace(snapshot=a_snapshot(remarks=("observation-of-other-patient",))), ()),
    ("a bad unit", HEALTHY._replace(snapshot=a_snapshot(not_used=(an_unused("spo2", NotUsed.UNKNOWN_UNIT),))), ()),
]


@pytest.mark.parametrize(("name", "prediction", "notes"), SPEAKING, ids=[name for name, *_ in SPEAKING])
def test_anything_worth_saying_makes_a_card(name: str, prediction: Prediction, notes: tuple[Note, ...]) -> None:
    assert cards_from_prediction(prediction, language="en", public_url=URL, notes=notes)


SILENT = [
    ("all normal", HEALTHY),
    ("superseded", HEALTHY._replace(snapshot=a_snapshot(not_used=(an_unused("spo2", NotUsed.SUPERSEDED),)))),
    ("old weight", HEALTHY._replace(snapshot=a_snapshot(not_used=(an_unused("weight", NotUsed.STALE),)))),
    ("yesterday's pulse", HEALTHY._replace(snapshot=a_snapshot(not_used=(an_unused("heart_rate", NotUsed.STALE),)))),
    ("resolved condition", HEALTHY._replace(snapshot=a_snapshot(remarks=("condition-not-active",)))),
]


@pytest.mark.parametrize(("name", "prediction"), SILENT, ids=[name for name, _ in SILENT])
def test_nothing_to_say_gives_no_card(name: str, prediction: Prediction) -> None:
    assert cards_from_prediction(prediction, language="en", public_url=URL) == []


def test_alarming_value_leads_summary_and_detail() -> None:
    shown = card(CASES["pulse-of-zero"])

    assert shown["summary"].startswith("heart rate 0/min: check the patient")
    assert shown["detail"].startswith("**Check the patient:** heart rate 0/min")


@pytest.mark.parametrize(("language", "said"), [("en", "Recorded as deceased"), ("es", "Consta como fallecido")])
def test_a_recorded_death_comes_before_everything_else(language: str, said: str) -> None:
    zero = an_unused("heart_rate", NotUsed.IMPLAUSIBLE, "0 /min", alarming=True)
    dead = a_snapshot(remarks=("patient-deceased",), not_used=(zero,))

    shown = card(a_prediction(snapshot=dead, news2=a_news2(level="high")), language)

    assert shown["summary"].startswith(said)
    assert shown["detail"].startswith(f"**{said}")
    assert shown["detail"].count(said) == 1
    assert "0/min" in shown["summary"]
    assert "NEWS2" in shown["summary"]


@pytest.mark.parametrize(("language", "said"), [("en", "paediatric score"), ("es", "escala pediátrica")])
def test_a_child_is_referred_to_a_childs_score_and_judged_by_none_of_ours(language: str, said: str) -> None:
    shown = card(CASES["child-with-extreme-values"], language)

    assert "16" in shown["summary"]
    assert said.split()[-1] in shown["summary"]
    assert said in shown["detail"]
    assert not re.search(r"NEWS2 [0-9]", shown["summary"] + shown["detail"])


def test_summary_counts_inputs_when_their_names_do_not_fit() -> None:
    news2 = a_news2(points=dict.fromkeys(PARAMETERS), upper=20, upper_level="high")

    shown = card(a_prediction(news2=news2, states=ACUTE), "es")

    assert "faltan 7 de 7 datos" in shown["summary"]


def test_missing_reading_never_shows_as_a_bare_number() -> None:
    shown = card(CASES["pneumonia-without-temperature"])

    assert shown["summary"].startswith("NEWS2 at least 8 (")
    assert "**NEWS2 8–16**" in shown["detail"]


def test_spanish_text_has_a_decimal_comma() -> None:
    shown = card(CASES["ward-patient-composed"], "es")

    assert "38,4 °C" in shown["detail"]
    assert "38.4" not in shown["detail"]


def test_hostile_source_is_shown_harmless() -> None:
    reading = a_reading("heart_rate", 128.0, source="<script>[x](javascript:1)`www.evil.example")

    shown = card(a_prediction(snapshot=a_snapshot(values={"heart_rate": reading}), states=ACUTE))

    assert "(`‹script›[x](javascript:1)'www.evil.example`)" in shown["detail"]


def test_override_reasons_carry_hl7_codes_and_our_states() -> None:
    reasons = card(CASES["hospice-patient"])["overrideReasons"]

    assert {reason["system"] for reason in reasons} == {NON_ADHERENCE, OWN_REASONS}
    states = [reason["code"] for reason in reasons if reason["system"] == OWN_REASONS]
    assert states == ["already-assessed", "not-ill", "mild", "acute", "chronic", "terminal"]


def test_card_is_named_after_its_prediction() -> None:
    prediction = CASES["hospice-patient"]

    shown = card(prediction)

    assert shown["uuid"] == str(prediction.id)
    assert shown["links"][0]["url"] == f"{URL}/predictions/{prediction.id}"
    assert shown["source"]["url"] == f"{URL}/models/risk/1.0.0/card"


def test_tables_name_everything_the_domain_speaks_of() -> None:
    assert set(REASONS) == set(NotUsed)
    assert set(FEATURES) <= {*VITALS, *OTHER_NAMES}
    assert set(COMPLAINTS) == set(COMPLAINT_GROUPS)


def test_times_are_in_the_zone_of_the_site() -> None:
    prediction = CASES["pulse-of-zero"]

    shown = cards_from_prediction(
        prediction, language="en", public_url="https://cds.example.org", zone=ZoneInfo("America/Bogota")
    )

    assert "**Used (times in America/Bogota):** 03:25" in shown[0]["detail"]


@pytest.mark.parametrize(
    ("at", "said"),
    [("2026-03-29T01:30Z", "01:30, 60 min ago"), ("2026-10-25T01:30Z", "02:30, 60 min ago")],
    ids=["clocks set forward", "clocks set back"],
)
def test_the_age_of_a_reading_is_time_that_passed_not_what_clocks_show(at: str, said: str) -> None:
    moment = datetime.fromisoformat(at)
    reading = a_reading("heart_rate", 128.0)._replace(time=moment - timedelta(minutes=60))
    prediction = a_prediction(snapshot=a_snapshot(values={"heart_rate": reading}, at=moment), states=ACUTE)

    detail = card(prediction, zone=ZoneInfo("Europe/Madrid"))["detail"]

    assert f"**Used (times in Europe/Madrid):** {said}: heart rate 128/min" in detail
