"""When "already assessed" keeps a card quiet, and when it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cds_service.domain.patient import NotUsed
from cds_service.domain.prediction import Prediction
from cds_service.domain.snooze import Snooze, severity
from tests.cdshooks.builders import AT, a_news2, a_prediction, a_risk, a_snapshot, an_unused

URGENT = a_news2(points={"respiratory_rate": 3, "spo2": 2, "temperature": None}, level="medium")


def ill(**changes: Any) -> Prediction:
    """A patient of NEWS2 5 with a 3 for breathing, and moderate risk."""
    return a_prediction(news2=URGENT, risk=a_risk(0.05, "moderate"), **changes)


def snooze(minutes: float = 30) -> Snooze:
    assessed = ill()
    return Snooze(AT + timedelta(minutes=minutes), severity(assessed.news2, assessed.risk))


QUIET = {
    "the same": ill(),
    "better": a_prediction(),
    "no risk any more": ill()._replace(risk=None),
    "no score any more": ill()._replace(news2=None),
    "another reading is old": ill(snapshot=a_snapshot(not_used=(an_unused("weight", NotUsed.STALE),))),
}
WORSE = {
    "higher band": ill()._replace(risk=a_risk(0.2, "high")),
    "higher level": ill()._replace(news2=replace(URGENT, level="high")),
    "another 3": ill()._replace(news2=replace(URGENT, red=("respiratory_rate", "pulse"))),
    "another 3 instead": ill()._replace(news2=replace(URGENT, red=("pulse",))),
    "less awake": ill()._replace(news2=replace(URGENT, remarks=("glasgow-not-full",))),
    "an alarm": ill(snapshot=a_snapshot(not_used=(an_unused("heart_rate", NotUsed.IMPLAUSIBLE, alarming=True),))),
}


@pytest.mark.parametrize("case", QUIET)
def test_a_patient_who_is_no_worse_stays_quiet(case: str) -> None:
    assert snooze().keeps_quiet(QUIET[case])


@pytest.mark.parametrize("case", WORSE)
def test_a_patient_who_is_worse_is_shown_at_once(case: str) -> None:
    assert not snooze().keeps_quiet(WORSE[case])


@pytest.mark.parametrize(("minutes", "quiet"), [(0.1, True), (0, False), (-5, False)])
def test_it_ends_on_time(minutes: float, quiet: bool) -> None:
    assert snooze(minutes).keeps_quiet(ill()) is quiet


def test_risk_that_was_not_known_then_and_is_raised_now_is_shown() -> None:
    assessed = Snooze(AT + timedelta(minutes=30), severity(None, None))

    assert not assessed.keeps_quiet(ill())
