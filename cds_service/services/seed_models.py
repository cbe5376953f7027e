"""The first decisions of an empty database: the versions that `CURRENT` names are in force."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from cds_service.domain.decision import TASKS, Action, Decision
from cds_service.i18n import msgid
from cds_service.inference.artifact import first_version
from cds_service.storage.change import Change
from cds_service.storage.decisions import decide

Submit: TypeAlias = Callable[[Change[Any]], Any]


def seed_models(submit: Submit, models_dir: Path, *, actor: str, at: datetime) -> None:
    """Put the shipped version of each task in force, unless anything was ever decided about any."""
    shipped = {task: found for task in TASKS if (found := first_version(models_dir, task)) is not None}
    seeds = [
        Decision(
            task=task,
            version=found.version,
            manifest_digest=found.digest,
            action=Action.SEED,
            actor=actor,
            at=at,
            reason=msgid("named by CURRENT when nothing was decided yet"),
        )
        for task, found in shipped.items()
    ]

    def choose(decided: Sequence[Decision]) -> Sequence[Decision]:
        return () if decided else seeds

    submit(decide(choose))
