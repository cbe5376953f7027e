"""A hospital's history of all five states, from a messy file to cards with probabilities, and back to the tags."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cds_service.demo.hospital import TENANT, quick_parameters
from cds_service.domain.codes import CodeTables
from cds_service.domain.label import CATEGORIES
from cds_service.inference.predictor import Predictor
from tests.conftest import REPOSITORY, Clock, Service, cds_in, started
from tests.published import models_dir
from tests.registry.conftest import ADA, PASSWORD, REASON
from tests.registry.test_states import QUERY, hook, states_on

HISTORY = REPOSITORY / "fixtures" / "history"
FAMILIES = {"decision tree", "random forest", "XGBoost", "LightGBM", "MLP", "logistic regression", "SVM (Nystroem)"}
OF_THE_SMALL_CLASS = ("recall", "average-precision", "expected-over-observed", "calibration-slope", "brier-skill")


@pytest.fixture
def invented(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> Iterator[Service]:
    models = str(models_dir(tmp_path))
    with started(tmp_path, empty_database, predictor, tables, CDS_MODELS_DIR=models) as service:
        said(service, "users", "add", "ada", "--tenant", TENANT, "--role", "steward")
        yield service


def said(service: Service, *words: str) -> dict[str, Any]:
    """What a command that succeeds answers last; the process has seen what it decided."""
    done = cds_in(service, *words, "--json", typed=PASSWORD)
    assert done.returncode == 0, done.stderr
    service.runtime.models.refresh()
    answered: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answered


@pytest.mark.slow
def test_a_history_of_five_states_becomes_a_model_that_a_person_promotes_and_takes_back(
    invented: Service, tmp_path: Path
) -> None:
    file = (str(HISTORY / "visits.csv"), "--columns", str(HISTORY / "map.toml"))
    taken = said(invented, "import-history", *file, "--tenant", TENANT)["counts"]
    assert (taken["new"], taken["dropped: duplicate"]) == (1423, 20)
    before = invented.client.get(QUERY).get_json()

    how = ("--reason", "history", "--window", "2026-03", "--params", str(quick_parameters(tmp_path)), "--trials", "1")
    came = said(invented, "retrain", "state", "--synthetic", *how)
    published = tmp_path / "models" / "state" / came["version"]
    verdict, evaluation = (json.loads((published / f"{name}.json").read_text()) for name in ("gate", "evaluation"))

    checks = {check["name"]: check for check in verdict["checks"]}
    assert came["verdict"] == "yes", [check for check in checks.values() if not check["passed"]]
    assert {"macro-f1", *(f"{name}:terminal" for name in OF_THE_SMALL_CLASS)} <= checks.keys()
    assert 10 <= checks["evidence:terminal"]["value"] <= 15
    assert {line["family"] for line in evaluation["leaderboard"]} > FAMILIES
    assert verdict["synthetic"] is evaluation["synthetic"] is True

    said(invented, "promote", "state", came["version"], *ADA, *REASON)
    during, card = invented.client.get(QUERY).get_json(), hook(invented)
    resource = invented.client.get(f"/fhir/RiskAssessment/{during['id']}").get_json()
    said(invented, "rollback", "state", *ADA, *REASON)
    after = invented.client.get(QUERY).get_json()

    found = during["state_model"]
    assert (found["version"], found["synthetic"]) == (came["version"], True)
    assert (set(found["probabilities"]), sum(found["probabilities"].values())) == (set(CATEGORIES), pytest.approx(1))
    limits = json.loads((published / "conformal.json").read_text())["thresholds"]
    assert set(found["likely"]) == {name for name, p in found["probabilities"].items() if p >= limits[name]}
    assert "States by this hospital's model" in card["detail"]
    assert len(states_on(resource)) == len(CATEGORIES)
    assert before["state_model"] is after["state_model"] is None
    assert before["states"] == during["states"] == after["states"]
