"""A challenger scores beside the version in force: after the answer, never on it, and what came of it can be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cds_service.domain.paired import auroc, brier, paired
from cds_service.errors import Unavailable
from cds_service.monitoring.metrics import REGISTRY
from cds_service.services import shadow as shadow_scoring
from tests.conftest import Service, cds_in
from tests.hl7.builders import OBR, PID, PV1, er7, msh, obx
from tests.published import publish, publish_states
from tests.registry.conftest import ADA, PASSWORD, REASON, answering
from tests.storage.builders import eventually

QUERY = "/predict?age={age}&sex=male&heart_rate=128&encounter_class=EMER"


def decide(service: Service, *words: str) -> int:
    done = cds_in(service, *words, *ADA, *REASON, typed=PASSWORD)
    service.runtime.models.refresh()
    return done.returncode


def scores(service: Service) -> list[tuple[str, str, float, float | None]]:
    with service.runtime.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT task, version, probability, champion_probability FROM shadow_scores ORDER BY prediction_id"
        )
        return [tuple(row) for row in rows]


def report(service: Service, task: str = "risk") -> dict[str, Any]:
    done = cds_in(service, "shadow-report", task, "--environment", "test", "--json")
    assert done.returncode == 0
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("cds_shadow_total", {"outcome": outcome}) or 0.0


def test_each_prediction_is_scored_by_both_and_answered_by_one(ward: Service, models: Path) -> None:
    publish(models, "1.1.0", shift=1.0)
    publish_states(models, "1.0.0")
    assert (decide(ward, "shadow", "risk", "1.1.0"), decide(ward, "shadow", "state", "1.0.0")) == (0, 0)

    answers = [ward.client.get(QUERY.format(age=age)).get_json() for age in (30, 50, 70)]
    assert eventually(lambda: len(scores(ward)) == 6)

    assert {one["model"]["version"] for one in answers} == {"1.0.0"}
    assert all(one["state_model"] is None for one in answers)
    risks = [row for row in scores(ward) if row[0] == "risk"]
    assert {row[3] for row in risks} == {one["risk"]["probability"] for one in answers}
    assert all(row[2] > (row[3] or 1.0) for row in risks)
    assert [row[3] for row in scores(ward) if row[0] == "state"] == [None] * 3
    found = report(ward)
    assert (found["version"], found["scored"], found["compared"], found["versions"]) == ("1.1.0", 3, 3, ["1.0.0"])
    assert found["difference"]["mean"] > 0
    assert (report(ward, "state")["scored"], report(ward, "state")["compared"]) == (3, 0)


def test_a_message_is_scored_as_a_call_is_and_a_repeated_one_not_again(ward: Service, models: Path) -> None:
    publish(models, "1.1.0", shift=1.0)
    decide(ward, "shadow", "risk", "1.1.0")
    message = er7(msh(), PID, PV1, OBR, obx("8867-4^Heart rate^LN", "128", "/min"))

    for _ in range(2):
        assert ward.client.post("/hl7/v2", data=message, content_type="application/hl7-v2").status_code == 200

    assert eventually(lambda: len(scores(ward)) == 1)
    assert list(ward.runtime.shadow._waiting) == []


def test_a_challenger_that_is_promoted_or_stopped_is_scored_no_more(ward: Service, models: Path) -> None:
    for version in ("1.1.0", "1.2.0"):
        publish(models, version)
    assert decide(ward, "shadow", "risk", "--stop") == 1
    decide(ward, "shadow", "risk", "1.1.0")
    assert decide(ward, "shadow", "risk", "1.1.0") == 1

    decide(ward, "promote", "risk", "1.1.0")
    assert (ward.runtime.models.serving.shadows, answering(ward)) == ({}, "1.1.0")
    decide(ward, "shadow", "risk", "1.2.0")
    assert set(ward.runtime.models.serving.shadows) == {"risk"}
    decide(ward, "shadow", "risk", "--stop")
    assert ward.runtime.models.serving.shadows == {}


def test_what_does_not_fit_is_dropped_counted_and_never_waited_for(
    ward: Service, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(models, "1.1.0")
    decide(ward, "shadow", "risk", "1.1.0")
    monkeypatch.setattr(shadow_scoring, "LIMIT", 0)
    before = counted("dropped")

    assert ward.client.get(QUERY.format(age=50)).status_code == 200

    assert counted("dropped") == before + 1
    assert scores(ward) == []


def failing(*_: object) -> None:
    raise Unavailable("away", where="database")


@pytest.mark.parametrize(
    ("harm", "outcome"),
    [
        (lambda service: setattr(service.runtime.shadow, "_submit", failing), "dropped"),
        (lambda service: setattr(service.runtime.models.serving.shadows["risk"], "estimate", failing), "failed"),
    ],
    ids=["database away", "challenger fails"],
)
def test_a_shadow_that_fails_is_counted_and_the_answers_go_on(
    ward: Service, models: Path, harm: Callable[[Service], None], outcome: str
) -> None:
    publish(models, "1.1.0")
    decide(ward, "shadow", "risk", "1.1.0")
    harm(ward)
    before = counted(outcome)

    assert ward.client.get(QUERY.format(age=50)).status_code == 200

    assert eventually(lambda: counted(outcome) == before + 1)
    assert answering(ward) == "1.0.0"


def test_without_any_score_the_report_says_so(ward: Service) -> None:
    done = cds_in(ward, "shadow-report", "risk")

    assert (done.returncode, "no version was scored" in done.stderr) == (1, True)


def test_the_better_of_two_is_told_from_the_worse_and_equals_are_not() -> None:
    rng = np.random.default_rng(7)
    truth = rng.random(2000) < 0.2
    good = np.clip(0.2 + 0.4 * (truth - 0.2) + rng.normal(0, 0.1, 2000), 0, 1)
    noise, patient = rng.random(2000), np.arange(2000) // 2

    better, same = paired(auroc, noise, good, truth, patient), paired(brier, good, good, truth, patient)

    assert better.low > 0.3
    assert (same.low, same.high, same.champion) == (0.0, 0.0, same.challenger)


def test_auroc_counts_ties_as_half() -> None:
    assert auroc(np.array([0.1, 0.5, 0.5, 0.9]), np.array([False, False, True, True])) == 0.875
    assert np.isnan(auroc(np.array([0.1, 0.5]), np.array([False, False])))
