"""The versions of each task that are published, what the gate said of them, and what was decided: as people read it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cds_service.domain.decision import Decision, Standing, VersionId, standing
from cds_service.errors import CdsError, ConfigurationError, Conflict
from cds_service.inference.artifact import open_artifact, published
from cds_service.services.verdict import FILE, NEVER, Verdict, read_verdict


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the gate, its figures as the file has them."""

    name: str
    passed: bool
    value: Any
    bound: Any
    reason: str
    may_be_overridden: bool


@dataclass(frozen=True, slots=True)
class OnShelf:
    """One published version. `problem` is what keeps it from being promoted as it is, None where nothing is known.

    `is_made_up` says that the gate judged it on invented patients.
    """

    id: VersionId
    verdict: Verdict | None
    problem: CdsError | None
    checks: tuple[Check, ...]
    is_in_force: bool
    is_in_shadow: bool
    is_made_up: bool = False

    @property
    def file(self) -> str:
        """Where the problem is: the file of the version, or the version."""
        return "" if self.problem is None else Path(self.problem.where).name


@dataclass(frozen=True, slots=True)
class Shelf:
    """All of one task: versions, the newest first, decisions likewise, and what they come to."""

    task: str
    versions: tuple[OnShelf, ...]
    decisions: tuple[Decision, ...]
    standing: Standing

    @property
    def before(self) -> str | None:
        """The version a rollback would put in force; None where there is none."""
        return self.standing.versions[-2].version if len(self.standing.versions) > 1 else None


def shelf(models_dir: Path, task: str, decisions: Sequence[Decision]) -> Shelf:
    """Everything of the task."""
    mine = [decision for decision in decisions if decision.task == task]
    stands = standing(mine, task)
    home = models_dir / task
    names = sorted((path.name for path in home.glob("*") if path.is_dir()), key=_by_number, reverse=True)
    found = tuple(_on_shelf(models_dir, task, name, stands) for name in names if not name.startswith("."))
    return Shelf(task, found, tuple(reversed(mine)), stands)


def card_text(models_dir: Path, task: str, version: str) -> str:
    """The model card of a published version; ConfigurationError where it is not whole."""
    return open_artifact(models_dir, task, version).files.get("card.md", b"").decode()


def _on_shelf(models_dir: Path, task: str, name: str, stands: Standing) -> OnShelf:
    try:
        subject = published(models_dir, task, name)
    except ConfigurationError as error:
        return OnShelf(VersionId(name, ""), None, error, (), False, False)
    directory = models_dir / task / name
    verdict: Verdict | None = None
    problem: CdsError | None = None
    try:
        verdict = read_verdict(directory, task, subject)
    except Conflict as error:
        problem = error
    document = {"checks": ()} if verdict is None else json.loads((directory / FILE).read_bytes())
    is_made_up = document.get("synthetic") is True
    now = subject == stands.in_force, subject == stands.shadow
    return OnShelf(subject, verdict, problem, _checks(document), *now, is_made_up)


def _checks(document: Mapping[str, Any]) -> tuple[Check, ...]:
    return tuple(
        Check(
            name=str(one["name"]),
            passed=one["passed"] is True,
            value=one.get("value"),
            bound=one.get("bound"),
            reason=str(one.get("reason", "")),
            may_be_overridden=one["overridable"] is True and str(one["name"]).partition(":")[0] not in NEVER,
        )
        for one in document["checks"]
    )


def _by_number(name: str) -> tuple[tuple[int, int, str], ...]:
    """1.10.0 comes after 1.9.0; what is no number comes before all numbers."""
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in name.split("."))
