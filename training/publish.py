"""Writes artifacts: every file with its hash in the manifest, the manifest with its own digest, never over another."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import FORMAT, manifest_digest

LIBRARIES = (
    "imbalanced-learn",
    "lightgbm",
    "numpy",
    "onnx",
    "onnxruntime",
    "optuna",
    "scikit-learn",
    "scipy",
    "xgboost-cpu",
)
_ROOT = Path(__file__).parents[1]
# Every library a training is installed with, by version and hash.
LOCK_FILE = _ROOT / "requirements-dev.txt"
# What decides the bytes of an artifact, besides data, parameters and libraries.
_SOURCES = (
    "training/**/*.py",
    "training/**/*.toml",
    "training/card.md",
    "cds_service/domain/complaints.py",
    "cds_service/domain/features.py",
    "cds_service/inference/*.py",
)


@contextmanager
def staged(target: Path, *, force: bool) -> Iterator[Path]:
    """A directory to fill, moved to `target` when all went well; a published version is kept unless forced."""
    if target.exists() and not force:
        raise ConfigurationError("is already published: choose another version, or --force", where=str(target))
    staging = target.with_name(f".{target.name}.staging") / target.parent.name / target.name
    shutil.rmtree(staging.parents[1], ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        yield staging
        if target.exists():
            shutil.rmtree(target)
        os.replace(staging, target)
    finally:
        shutil.rmtree(staging.parents[1], ignore_errors=True)


def write_artifact(directory: Path, files: Mapping[str, bytes], described: Mapping[str, Any]) -> None:
    """Write the files and the manifest that vouches for them; task and version are the directory's own names."""
    manifest = {
        "format": FORMAT,
        "task": directory.parent.name,
        "version": directory.name,
        **described,
        "files": {name: _described(content) for name, content in sorted(files.items())},
    }
    manifest["digest"] = manifest_digest(manifest)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    (directory / "manifest.json").write_bytes(json_bytes(manifest))


def json_bytes(value: Any) -> bytes:
    """Readable JSON with sorted keys, the same bytes for the same value."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A compressed array archive without pickles."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def provenance() -> dict[str, Any]:
    """Versions of the libraries, and hashes of the lock file and of the sources that made an artifact."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _SOURCES for path in _ROOT.glob(pattern)):
        digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return {
        "libraries": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "lock_sha256": hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest(),
        "sources_sha256": digest.hexdigest(),
    }


def _described(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
