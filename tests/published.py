"""Versions of models as training publishes them: made from the shipped one, with a verdict of the gate."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

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


def reseal(directory: Path, **changes: object) -> None:
    """Make the manifest vouch for the files as they are now, with some of its fields changed."""
    manifest = json.loads((directory / "manifest.json").read_text()) | changes
    for name in manifest["files"]:
        content = (directory / name).read_bytes()
        manifest["files"][name] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    manifest["digest"] = manifest_digest(manifest)
    (directory / "manifest.json").write_text(json.dumps(manifest))


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
