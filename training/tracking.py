"""Records a run in MLflow, where it is installed: parameters, figures and the files of the version."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from cds_service.errors import ConfigurationError

_FIGURES = ("auroc", "auprc", "f1", "recall", "brier")


def track(version: Path, uri: str) -> None:
    """Write a published version to the store at `uri` as one run; artifacts are named, not copied."""
    if find_spec("mlflow") is None:
        raise ConfigurationError("mlflow is not installed: pip install mlflow-skinny", where="--track")
    client = import_module("mlflow").MlflowClient(tracking_uri=uri)
    evaluation, manifest = (json.loads((version / name).read_bytes()) for name in ("evaluation.json", "manifest.json"))
    name = f"cds-{manifest['task']}"
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else client.create_experiment(name)
    run = client.create_run(experiment, run_name=manifest["version"]).info.run_id
    tags = {"digest": manifest["digest"], "data": manifest["data"]["dataset"], "winner": evaluation["winner"]}
    for key, value in tags.items():
        client.set_tag(run, key, value)
    for line in evaluation["leaderboard"]:
        family = line["family"].replace("(", "").replace(")", "").replace(",", "")
        for figure in _FIGURES:
            value = line["overall"][figure]["value"]
            if value is not None:
                client.log_metric(run, f"{family}/{figure}", value)
    client.log_param(run, "seed", manifest["params"]["compare"]["seed"])
    client.set_terminated(run)
