"""The gate's verdict on a version, as the file beside its manifest holds it, and what it lets a person do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cds_service.domain.decision import VersionId
from cds_service.errors import Conflict
from cds_service.inference.artifact import manifest_digest

FILE = "gate.json"
FORMAT = 1

# Whatever the file says of them, nobody may promote over these: the first word of a check's name.
NEVER = frozenset(
    {
        "hashes",
        "onnx-parity",
        "shap-parity",
        "golden-cases",
        "leakage",
        "sources",
        "privacy",
        "evidence",
        "expected-over-observed",
        "calibration-slope",
        "brier-skill",
    }
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate said; `digest` names the whole of it, `open` are failed checks a person may override."""

    digest: str
    said: str
    trainer: str
    failed: tuple[str, ...]
    open: frozenset[str]


def read_verdict(directory: Path, task: str, version: VersionId) -> Verdict:
    """The verdict on exactly this artifact; Conflict for a file that is missing, changed, or about another one."""
    path = directory / FILE
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        raise Conflict("is missing or not JSON: the gate has to judge the version first", where=str(path)) from None
    try:
        return _verdict(document, task, version, path)
    except (KeyError, TypeError, AttributeError):
        raise Conflict("is not a verdict of the gate", where=str(path)) from None


def require_approval(verdict: Verdict, overrides: Sequence[str]) -> None:
    """Conflict unless the gate said yes, or said no and every failed check may be, and is, overridden."""
    if verdict.said not in ("yes", "no"):
        raise Conflict(f"the gate said {verdict.said}: {', '.join(verdict.failed)}", where="gate")
    if unknown := sorted(set(overrides) - set(verdict.failed)):
        raise Conflict(f"not a check that failed: {', '.join(unknown)}", where="--override")
    if closed := [name for name in verdict.failed if name not in verdict.open]:
        raise Conflict(f"the gate said no, and nobody may override {', '.join(closed)}", where="gate")
    if left := [name for name in verdict.failed if name not in overrides]:
        raise Conflict(f"the gate said no: name with --override what you take on: {', '.join(left)}", where="gate")


def _verdict(document: dict[str, Any], task: str, version: VersionId, path: Path) -> Verdict:
    if document["digest"] != manifest_digest(document):
        raise Conflict("was changed after the gate wrote it (its digest differs)", where=str(path))
    about = (document["format"], document["task"], document["version"], document["manifest_digest"])
    if about != (FORMAT, task, *version):
        raise Conflict("is about another artifact", where=str(path))
    failed = [check for check in document["checks"] if check["passed"] is not True]
    said = str(document["verdict"])
    if said == "yes" and failed:
        raise Conflict("says yes with failed checks", where=str(path))
    names = {check["name"] for check in failed if check["overridable"] is True}
    return Verdict(
        digest=document["digest"],
        said=said,
        trainer=str(document["trainer"]),
        failed=tuple(check["name"] for check in failed),
        open=frozenset(name for name in names if name.partition(":")[0] not in NEVER),
    )
