"""Decisions about models: which version of a task answers, which is scored beside it, and what was so at any moment.

A version is in force until another is promoted over it or it is rolled back; then the one before is again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

# What answers a call: the risk of every adult, and beside it five states where a hospital's own history taught them.
TASKS = ("risk", "state")
# Tasks that may have no version in force: without one the tags of `domain/state.py` stand alone.
OPTIONAL_TASKS = frozenset({"state"})
# The version of a rollback after which nothing is in force.
NONE = ""


class Action(StrEnum):
    """What was decided about a version."""

    SEED = "seed"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    SHADOW = "shadow"
    UNSHADOW = "unshadow"


class VersionId(NamedTuple):
    """One version by name and by the digest of its manifest, so that a foreign file of the name is not taken for it."""

    version: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision: who, why, when, and what it was based on.

    `version` is the one in force afterwards, or the one that is scored in shadow from then on or no more. `trainer`,
    `gate` (digest of the verdict) and `overrides` (names of checks that failed) are those of a promotion.
    """

    task: str
    version: str
    manifest_digest: str
    action: Action
    actor: str
    at: datetime
    reason: str
    trainer: str = ""
    gate: str = ""
    overrides: tuple[str, ...] = ()

    @property
    def subject(self) -> VersionId:
        """The version it is about."""
        return VersionId(self.version, self.manifest_digest)


class Standing(NamedTuple):
    """What decisions about one task come to: versions in force, the last one now, and the one in shadow."""

    versions: tuple[VersionId, ...] = ()
    shadow: VersionId | None = None

    @property
    def in_force(self) -> VersionId | None:
        """The version that answers, None when none does."""
        return self.versions[-1] if self.versions else None


def standing(decisions: Iterable[Decision], task: str) -> Standing:
    """What the decisions about the task, oldest first, come to."""
    versions: tuple[VersionId, ...] = ()
    shadow: VersionId | None = None
    for decision in decisions:
        if decision.task != task:
            continue
        if decision.action in (Action.SEED, Action.PROMOTE):
            versions = (*versions, decision.subject)
            shadow = None if shadow == decision.subject else shadow
        elif decision.action is Action.ROLLBACK:
            versions = versions[:-1]
        else:
            shadow = decision.subject if decision.action is Action.SHADOW else None
    return Standing(versions, shadow)
