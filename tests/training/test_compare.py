"""A comparison publishes a challenger that serving can run, says everything it found, and can be made again."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq
import pytest

from cds_service.domain.features import FEATURES
from cds_service.domain.label import CATEGORIES
from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import open_artifact
from cds_service.inference.predictor import load_predictor
from tests.published import reseal
from tests.training.labelled import order, quick_params, risk_columns, state_columns, write_dataset
from training.candidates import FAMILIES
from training.challenger import publish
from training.compare import run
from training.compare_command import main
from training.comparison import Comparison, Order
from training.facts import facts_of, is_whole
from training.gate import YES
from training.graph import run_graph
from training.publish import provenance
from training.reproduce import reproduce
from training.scores import Calibration

MODELS = Path(__file__).parents[2] / "models"


def quiet(text: str) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def state_run(tmp_path_factory) -> tuple[Order, Comparison]:
    """What was asked and what was found, as it is handed on to be published."""
    root = tmp_path_factory.mktemp("state")
    asked = order(
        write_dataset(root / "data", state_columns()), root / "models" / "state" / "1.0.0", at="2026-11-21T10:00:00Z"
    )
    with patch("training.compare.publish", wraps=publish) as published:
        run(asked, quick_params(), quiet)
    return published.call_args.args


@pytest.fixture(scope="module")
def state_version(state_run) -> Path:
    return state_run[0].out


@pytest.fixture(scope="module")
def risk_version(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("risk")
    out = root / "models" / "risk" / "1.1.0"
    data = write_dataset(root / "data", risk_columns())
    run(order(data, out, champion=MODELS / "risk" / "1.0.0"), quick_params(), quiet)
    return out


def read(version: Path, name: str) -> dict:
    return json.loads((version / name).read_bytes())


def test_every_family_is_on_the_leaderboard(state_version, risk_version):
    fitted = {family.name for family in FAMILIES}

    state, risk = (
        {line["family"] for line in read(version, "evaluation.json")["leaderboard"]}
        for version in (state_version, risk_version)
    )

    assert state == fitted
    assert risk == fitted | {"in service", "in service, recalibrated"}


def test_a_state_model_is_written_in_the_served_format(state_version):
    artifact = open_artifact(state_version.parents[1], "state", "1.0.0")
    calibration = artifact.json("calibration.json")
    golden = artifact.json("golden.json")

    margins = run_graph(artifact.files["model.onnx"], np.array(golden["rows"], dtype=np.float32))
    p = Calibration(calibration["temperature"], tuple(calibration["bias"])).probabilities(margins)

    assert artifact.manifest["classes"] == list(CATEGORIES)
    assert artifact.manifest["features"] == list(FEATURES)
    assert artifact.manifest["synthetic"] is True
    assert margins == pytest.approx(np.array(golden["margins"]), abs=1e-5)
    assert p.sum(axis=1) == pytest.approx(1.0)
    assert set(artifact.json("conformal.json")["thresholds"]) == set(CATEGORIES)
    assert {"evaluation.json", "card.md", "reference.json"} <= set(artifact.files)


def test_a_risk_challenger_is_loaded_as_any_risk_model(risk_version):
    predictor = load_predictor(risk_version.parents[1], "risk", "1.1.0")

    p = predictor.score(np.full((1, len(FEATURES)), np.nan, dtype=np.float32))

    assert predictor.version == "1.1.0"
    assert 0 < p[0] < 1


def test_the_verdict_lies_beside_the_manifest_and_names_its_bytes(state_version):
    gate, manifest = read(state_version, "gate.json"), read(state_version, "manifest.json")

    assert gate["manifest_digest"] == manifest["digest"]
    assert gate["trainer"] == manifest["trained_by"] == "ada"
    assert gate["at"] == "2026-11-21T10:00:00Z"
    assert {"gate.json", "report.html", "timing.json"}.isdisjoint(manifest["files"])
    assert all((state_version / name).stat().st_size for name in ("report.html", "timing.json"))


@pytest.mark.parametrize(
    "check", ["hashes", "onnx-parity", "shap-parity", "golden-cases", "leakage", "sources", "privacy", "model-card"]
)
def test_what_a_comparison_writes_is_whole_in_the_eyes_of_the_gate(state_version, risk_version, check):
    for version in (state_version, risk_version):
        found = next(found for found in read(version, "gate.json")["checks"] if found["name"] == check)
        assert found["passed"], found


def changed_rows(asked, found, tmp_path):
    data = write_dataset(tmp_path / "data", state_columns(seed=4))
    return replace(asked, data=data), found


def a_name_among_the_columns(asked, found, tmp_path):
    data = Path(shutil.copytree(asked.data, tmp_path / "data"))
    table = pq.read_table(data / "rows.parquet")
    pq.write_table(table.append_column("name", table["row"]), data / "rows.parquet")
    return replace(asked, data=data), found


def two_hospitals(asked, found, tmp_path):
    site = (np.nan_to_num(found.parts.fit.X[:, 0]) > 50).astype(np.int64)
    parts = replace(found.parts, fit=replace(found.parts.fit, site=site))
    return asked, replace(found, parts=parts)


def the_same_patients(asked, found, tmp_path):
    return asked, replace(found, parts=replace(found.parts, test=found.parts.fit))


@pytest.mark.parametrize(
    ("harm", "fact", "sound", "harmed"),
    [
        (changed_rows, "digest_matches", True, False),
        (a_name_among_the_columns, "forbidden_columns", (), ("name",)),
        (two_hospitals, "pooled_sources", False, True),
        (the_same_patients, "shared_patients", 0, None),
    ],
)
def test_facts_are_looked_at_and_not_assumed(state_run, tmp_path, harm, fact, sound, harmed):
    answer = lambda X: np.full((len(X), 5), 0.2)  # noqa: E731

    before, after = (
        getattr(facts_of(*given, state_run[0].out, answer), fact) for given in (state_run, harm(*state_run, tmp_path))
    )

    assert before == sound
    assert after == harmed if harmed is not None else after > 0


def test_an_artifact_with_a_changed_file_is_not_whole(state_version, tmp_path):
    later = Path(shutil.copytree(state_version, tmp_path / "models" / "state" / state_version.name))
    assert is_whole(later)

    (later / "card.md").write_text("another card")

    assert not is_whole(later)


def test_small_classes_are_judged_by_rows_left_out_of_folds(state_version):
    checks = {found["name"]: found for found in read(state_version, "gate.json")["checks"]}

    assert read(state_version, "evaluation.json")["rows"]["test"]["by_class"]["terminal"] < 10
    assert checks["evidence:terminal"]["passed"]


def test_few_labels_of_a_rare_outcome_are_not_enough_evidence(tmp_path):
    data = write_dataset(tmp_path / "data", risk_columns(n=1500, prevalence=0.02))
    boosted = [family for family in FAMILIES if family.bare or family.name == "XGBoost"]  # the rows are the same

    with patch("training.compare.FAMILIES", boosted):
        verdict = run(order(data, tmp_path / "models" / "risk" / "1.1.0"), quick_params(), quiet)

    assert verdict["verdict"] != YES
    assert not next(check for check in verdict["checks"] if check["name"] == "evidence:icu")["passed"]


def asked_again(version: Path, data: Path) -> int:
    """Exit code of the command that makes the version again."""
    to = ["--data", str(data), "--out", str(version.with_name("9.9.9")), "--trainer", "ada"]
    return main(["state", *to, "--reproduce", version.name])


def test_the_same_data_seed_and_libraries_give_the_same_bytes(state_version, capsys):
    assert asked_again(state_version, state_version.parents[2] / "data") == 0
    assert capsys.readouterr().out == "state 1.0.0: the same bytes\n"


def test_a_version_that_comes_out_otherwise_is_told_by_its_files(state_version, monkeypatch, capsys):
    monkeypatch.setattr("training.compare_command.reproduce", lambda version, data: ["model.onnx"])

    assert asked_again(state_version, state_version.parents[2] / "data") == 1
    assert capsys.readouterr().err == "state 1.0.0: model.onnx came out otherwise\n"


def test_a_version_is_made_again_against_the_one_it_challenged(state_version, tmp_path):
    later = Path(shutil.copytree(state_version, tmp_path / "models" / "state" / "9.1.0"))
    reseal(later, version="9.1.0", challenges="9.0.0")

    with pytest.raises(ConfigurationError, match=r"9\.0\.0"):
        reproduce(later, state_version.parents[2] / "data")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lock_sha256": "0" * 64}, "another requirements-dev.txt"),
        ({"libraries": {**provenance()["libraries"], "xgboost-cpu": "3.0.1"}}, r"xgboost-cpu 3\.0\.1"),
    ],
)
def test_other_libraries_are_no_reproduction(state_version, tmp_path, capsys, changed, said):
    later = Path(shutil.copytree(state_version, tmp_path / "models" / "state" / state_version.name))
    reseal(later, **changed)

    assert asked_again(later, state_version.parents[2] / "data") == 1
    assert re.search(said, capsys.readouterr().err)


def test_other_data_are_no_reproduction(state_version, tmp_path):
    other = write_dataset(tmp_path / "data", state_columns(seed=4))

    with pytest.raises(ConfigurationError, match="other data"):
        reproduce(state_version, other)
