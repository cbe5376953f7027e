"""Published artifacts: finds a version of a task, verifies every file against its manifest, and refuses all others."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cds_service.domain.decision import VersionId
from cds_service.errors import ConfigurationError

FORMAT = 1
"""Layout of an artifact's directory and manifest; another number is refused."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LARGEST_FILE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Artifact:
    """A verified version: its directory, its manifest and the bytes of the files that were asked for."""

    directory: Path
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]

    def json(self, name: str) -> Any:
        """One of its files as JSON."""
        try:
            return json.loads(self.files[name])
        except ValueError as problem:
            raise ConfigurationError(f"{name} is not JSON", where=str(self.directory)) from problem


def open_artifact(
    models_dir: Path, task: str, version: str | None = None, only: Collection[str] | None = None
) -> Artifact:
    """The version of a task, `CURRENT` by default; ConfigurationError says what is wrong where.

    Its files are read and checked: all of them, or of these names those it has.
    """
    name = version or current_version(models_dir, task)
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is not the name of a version", where=str(models_dir / task))
    directory = models_dir / task / name
    manifest = _manifest(directory)
    if (manifest.get("format"), manifest.get("task"), manifest.get("version")) != (FORMAT, task, name):
        raise ConfigurationError(f"manifest is not of {task} {name}, format {FORMAT}", where=str(directory))
    wanted = [file for file in manifest["files"] if only is None or file in only]
    return Artifact(directory, manifest, {file: _verified(directory, file, manifest) for file in wanted})


def current_version(models_dir: Path, task: str) -> str:
    """The version that `CURRENT` names."""
    try:
        return (models_dir / task / "CURRENT").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigurationError(
            "cannot be read: no published version", where=f"{models_dir / task}/CURRENT"
        ) from problem


def published(models_dir: Path, task: str, version: str) -> VersionId:
    """A published version whose every file is as its manifest says."""
    return VersionId(version, open_artifact(models_dir, task, version).manifest["digest"])


def first_version(models_dir: Path, task: str) -> VersionId | None:
    """What `CURRENT` names, which is in force until anything is decided; None where nothing is published."""
    if not (models_dir / task / "CURRENT").exists():
        return None
    return published(models_dir, task, current_version(models_dir, task))


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest without its own `digest`, in canonical JSON."""
    content = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _manifest(directory: Path) -> Mapping[str, Any]:
    path = directory / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError) as problem:
        raise ConfigurationError("missing or not JSON", where=str(path)) from problem
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise ConfigurationError("lists no files", where=str(path))
    if manifest.get("digest") != manifest_digest(manifest):
        raise ConfigurationError("was changed after publishing (its digest differs)", where=str(path))
    return manifest


def _verified(directory: Path, name: str, manifest: Mapping[str, Any]) -> bytes:
    """The bytes of one file, once their number and SHA-256 are those of the manifest."""
    path = directory / name
    expected = manifest["files"][name]
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"names a file outside the artifact: {name!r}", where=str(directory))
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size == expected["bytes"] and size <= _LARGEST_FILE else b""
    except OSError as problem:
        raise ConfigurationError("cannot be read", where=str(path)) from problem
    if size != expected["bytes"]:
        raise ConfigurationError(f"has {size} bytes, the manifest says {expected['bytes']}", where=str(path))
    if hashlib.sha256(content).hexdigest() != expected["sha256"]:
        raise ConfigurationError("was changed after publishing (its SHA-256 differs)", where=str(path))
    return content
