"""A run is recorded in MLflow's own store, and a machine without MLflow says what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cds_service.errors import ConfigurationError
from training import tracking


def a_version(directory: Path) -> Path:
    figures = {name: {"value": 0.8} for name in ("auroc", "auprc", "f1", "recall", "brier")}
    line = {"family": "SVM (Nystroem)", "overall": figures}
    manifest = {
        "task": "state",
        "version": "1.1.0",
        "digest": "d1",
        "data": {"dataset": "d2"},
        "params": {"compare": {"seed": 7}},
    }
    (directory / "evaluation.json").write_text(json.dumps({"winner": "XGBoost", "leaderboard": [line]}))
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return directory


@pytest.mark.filterwarnings("ignore")
def test_a_run_is_recorded_in_a_sqlite_store(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    uri = f"sqlite:///{tmp_path}/mlflow.db"

    tracking.track(a_version(tmp_path), uri)

    client = mlflow.MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name("cds-state").experiment_id])
    assert run.info.run_name == "1.1.0"
    assert run.info.status == "FINISHED"
    assert run.data.metrics["SVM Nystroem/auroc"] == 0.8
    assert run.data.tags["digest"] == "d1"


def test_without_mlflow_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)

    with pytest.raises(ConfigurationError, match="pip install mlflow-skinny"):
        tracking.track(a_version(tmp_path), "sqlite:///x.db")
