"""Makes a published version again from the same data, and compares it byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import open_artifact
from training.compare import read_rows, run
from training.comparison import Order
from training.publish import LOCK_FILE, provenance
from training.task import TASKS


def reproduce(version: Path, data: Path) -> list[str]:
    """Names of the files that came out otherwise than those published; none when all are the same.

    It is made against the version it challenged then, which is beside it, whatever is in force now.
    """
    task = version.parent.name
    published = open_artifact(version.parents[1], task, version.name)
    manifest = published.manifest
    if "trials" not in manifest:
        raise ConfigurationError("was not made by a comparison", where=str(version))
    _require_same_libraries(manifest, where=str(version))
    rows, _ = read_rows(data, TASKS[task], manifest["params"]["compare"]["split"])
    if {"dataset": rows.sha256} != manifest["data"]:
        raise ConfigurationError("was made from other data than these", where=str(version))
    challenged = manifest["challenges"]
    with TemporaryDirectory() as scratch:
        again = Path(scratch) / task / version.name
        again.parent.mkdir()
        order = Order(
            task=task,
            data=data,
            out=again,
            trainer=manifest["trained_by"],
            champion=version.parent / challenged if challenged else None,
            trials=manifest["trials"],
            unsearched=tuple(manifest.get("unsearched", ())),
            incremental=manifest.get("incremental", False),
        )
        run(order, manifest["params"], lambda text: None)
        made = open_artifact(Path(scratch), task, version.name)
    names = sorted({*published.files, *made.files})
    return [name for name in names if published.files.get(name) != made.files.get(name)]


def _require_same_libraries(manifest: Mapping[str, Any], *, where: str) -> None:
    """Other libraries would make another model and prove nothing: ConfigurationError says which they are."""
    here, then = provenance(), manifest["libraries"]
    others = [
        f"{name} {then.get(name, 'of no known version')}"
        for name, at in here["libraries"].items()
        if then.get(name) != at
    ]
    if others:
        raise ConfigurationError(f"was made with {', '.join(others)}: install what it was made with", where=where)
    if manifest.get("lock_sha256") != here["lock_sha256"]:
        raise ConfigurationError(
            f"was made under another {LOCK_FILE.name}: check out the one it was made with", where=where
        )
