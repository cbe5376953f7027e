"""Versions of models as training publishes them: made from the shipped one, with a verdict of the gate."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cds_service.domain.features import FEATURES, FEATURES_VERSION
from cds_service.domain.label import CATEGORIES
from cds_service.inference.artifact import manifest_digest

MODELS = Path(__file__).parents[1] / "models"
SHIPPED = "1.0.0"


def models_dir(directory: Path) -> Path:
    """A directory of the published models that versions may be added to and damaged in."""
    target = directory / "models"
    for task in ("codes", "risk"):
        shutil.copytree(MODELS / task, target / task)
    (target / "rare").symlink_to(MODELS / "rare")
    return target


def publish(models: Path, version: str, *, shift: float = 1.0, verdict: dict[str, Any] | None = None) -> Path:
    """A version whose log-odds are higher by `shift` than the shipped one's, with the gate's verdict on it."""
    directory = Path(shutil.copytree(models / "risk" / SHIPPED, models / "risk" / version))
    calibration = json.loads((directory / "calibration.json").read_text())
    for tier in calibration.values():
        tier["intercept"] += shift
    (directory / "calibration.json").write_text(json.dumps(calibration))
    reseal(directory, version=version)
    judge(directory, **(verdict or {}))
    return directory


# Log-odds by feature and state of the made-up model: pulse for acute, age for chronic.
_WEIGHTS = {("heart_rate", "acute"): 0.03, ("age", "chronic"): 0.02, ("spo2", "not-ill"): 0.01}


def publish_states(models: Path, version: str, *, verdict: dict[str, Any] | None = None) -> Path:
    """A made-up model of the five states, linear in what is known, with the gate's verdict on it."""
    directory = models / "state" / version
    directory.mkdir(parents=True)
    weights = np.zeros((len(FEATURES), len(CATEGORIES)), dtype=np.float32)
    for (feature, state), weight in _WEIGHTS.items():
        weights[FEATURES.index(feature), CATEGORIES.index(state)] = weight
    (directory / "model.onnx").write_bytes(_linear(weights))
    golden = np.full((2, len(FEATURES)), 50.0, dtype=np.float32)
    files: dict[str, Any] = {
        "calibration.json": {"temperature": 1.5, "bias": [0.0, 0.1, -0.5, 0.0, -1.0]},
        "conformal.json": {"alpha": 0.1, "thresholds": dict.fromkeys(CATEGORIES, 0.2)},
        "golden.json": {"rows": golden.tolist(), "margins": (golden @ weights).tolist()},
    }
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content))
    (directory / "card.md").write_text("# State model\n")
    manifest = {
        "format": 1,
        "task": "state",
        "version": version,
        "features_version": FEATURES_VERSION,
        "features": list(FEATURES),
        "classes": list(CATEGORIES),
        "family": "logistic",
        "synthetic": True,
        "files": dict.fromkeys(("model.onnx", "card.md", *files), None),
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))
    reseal(directory)
    judge(directory, **(verdict or {}))
    return directory


def _linear(weights: NDArray[np.float32]) -> bytes:
    """A graph from x with NaN for what is missing to the margins of five states."""
    nodes = [
        helper.make_node("IsNaN", ["x"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "x"], ["known"]),
        helper.make_node("MatMul", ["known", "weights"], ["margins"]),
    ]
    shapes = (("x", len(FEATURES)), ("margins", len(CATEGORIES)))
    x, margins = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width]) for name, width in shapes)
    constants = [numpy_helper.from_array(np.float32(0.0), "zero"), numpy_helper.from_array(weights, "weights")]
    graph = helper.make_graph(nodes, "states", [x], [margins], constants)
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return content


def reseal(directory: Path, **changes: object) -> Path:
    """Make the manifest vouch for the files as they are now, with some of its fields changed; the directory."""
    manifest = json.loads((directory / "manifest.json").read_text()) | changes
    for name in manifest["files"]:
        content = (directory / name).read_bytes()
        manifest["files"][name] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    manifest["digest"] = manifest_digest(manifest)
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return directory


def judge(directory: Path, **changes: Any) -> dict[str, Any]:
    """The gate's verdict on the version as it is now, `yes` unless changed."""
    manifest = json.loads((directory / "manifest.json").read_text())
    verdict = {
        "format": 1,
        "task": manifest["task"],
        "version": manifest["version"],
        "manifest_digest": manifest["digest"],
        "dataset_sha256": "0" * 64,
        "trainer": "tara",
        "at": "2026-03-14T08:00:00+00:00",
        "verdict": "yes",
        "checks": [],
    } | changes
    verdict["digest"] = manifest_digest(verdict)
    (directory / "gate.json").write_text(json.dumps(verdict))
    return verdict


def check(name: str, *, passed: bool = False, overridable: bool = True) -> dict[str, Any]:
    """One check of a verdict."""
    return {
        "name": name,
        "passed": passed,
        "value": 0,
        "bound": 1,
        "reason": "for the test",
        "overridable": overridable,
    }
