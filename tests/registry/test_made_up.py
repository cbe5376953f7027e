"""A model that made-up patients taught says nothing of real ones, from the first of them on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cds_service.cdshooks.wording import words
from cds_service.services.assess import TAUGHT_BY_MADE_UP
from cds_service.storage.rollups import Whose
from cds_service.web.console.notices import made_up_notices
from cds_service.web.console.panel import Told
from tests.conftest import Service, cds_in
from tests.published import judge, publish, publish_states, reseal
from tests.registry.conftest import promote
from tests.registry.test_states import QUERY, decide, hook
from tests.web.feedback_calls import acting

VERSIONS = {"risk": "1.1.0", "state": "1.0.0"}


@pytest.fixture
def rehearsed(ward: Service, models: Path) -> Service:
    """A ward whose models were promoted in a rehearsal, before anybody real was there."""
    judge(reseal(publish(models, "1.1.0"), synthetic=True))
    publish_states(models, "1.0.0")
    promote(ward, "1.1.0")
    decide(ward, "promote", "state", "1.0.0")
    return ward


def said_of(service: Service, **whose: str) -> dict[str, Any]:
    answered: dict[str, Any] = acting(service, **whose).get(QUERY).get_json()
    return answered


@pytest.mark.parametrize("whose", [{"environment": "test"}, {"tenant": "synthetic-hospital"}])
def test_made_up_patients_are_answered_by_what_they_taught(rehearsed: Service, whose: dict[str, str]) -> None:
    found = said_of(rehearsed, **whose)

    assert (found["risk"]["band"], found["state_model"]["version"]) == ("high", "1.0.0")
    assert "of invented patients" in hook(rehearsed)["detail"]


def test_real_patients_get_the_score_and_the_rules_alone(rehearsed: Service) -> None:
    before = said_of(rehearsed, environment="test")

    found = [said_of(rehearsed, tenant="north") for _ in range(2)][-1]

    assert (found["risk"], found["state_model"]) == ({"omitted": TAUGHT_BY_MADE_UP}, None)
    assert (found["news2"], found["model"]["version"]) == (before["news2"], "1.1.0")
    replayed = cds_in(rehearsed, "replay", found["id"], "--json")
    assert (replayed.returncode, json.loads(replayed.stdout)["differing"]) == (0, []), replayed.stderr


def test_it_is_said_aloud(rehearsed: Service) -> None:
    for _ in range(3):
        said_of(rehearsed, tenant="north")

    logged = [json.loads(line) for line in rehearsed.log.read_text(encoding="utf-8").splitlines()]
    warned = [(line["task"], line["model"]) for line in logged if line["event"] == "model_withheld"]
    assert sorted(warned) == sorted(VERSIONS.items())
    assert rehearsed.client.get("/readyz").get_json()["withheld_from_real_patients"] == VERSIONS
    for language, real, invented in (("en", "invented patients", "synthetic-hospital"), ("es", "inventados", "x")):
        told = Told(words(language))
        notices = [notice.text for notice in made_up_notices(rehearsed.runtime, Whose("north", "production"), told)]
        assert [real in text for text in notices] == [True, True]
        environment = "production" if invented.startswith("synthetic") else "test"
        assert list(made_up_notices(rehearsed.runtime, Whose(invented, environment), told)) == []


@pytest.mark.parametrize(
    ("taught", "said"), [({}, "adult US emergency visits"), ({"population": "hospital"}, "visits of this hospital")]
)
def test_a_card_says_whose_visits_the_risk_is_a_share_of(
    ward: Service, models: Path, taught: dict[str, str], said: str
) -> None:
    judge(reseal(publish(models, "1.1.0"), **taught))
    promote(ward, "1.1.0")

    assert said in hook(ward)["detail"]


def test_once_another_version_is_in_force_real_patients_get_their_risk(rehearsed: Service, models: Path) -> None:
    publish(models, "1.2.0")
    omitted = said_of(rehearsed, tenant="north")["risk"]

    promote(rehearsed, "1.2.0")

    assert omitted == {"omitted": TAUGHT_BY_MADE_UP}
    assert said_of(rehearsed, tenant="north")["risk"]["band"] == "high"
    assert rehearsed.client.get("/readyz").get_json()["withheld_from_real_patients"] == {"state": "1.0.0"}
