"""The model in service continued: its own trees, and a few more that learned from new rows.

An incremental training searches for nothing. It is a challenger as any other; a full one starts anew each quarter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds_service.errors import ConfigurationError
from training.candidates import FAMILIES, Choice, FoldPipeline
from training.contest import Contender, settled
from training.in_service import Champion
from training.partition import Parts
from training.state import BOOSTER_FILE
from training.task import Task

CONTINUED = "in service, continued"
_TREES = {"risk": "full.ubj", "state": BOOSTER_FILE}


def continued(champion: Champion, task: Task, parts: Parts, params: Mapping[str, Any]) -> Contender:
    """The champion's trees with `incremental.rounds` more, calibrated anew; ConfigurationError where it has none."""
    before = champion.artifact.files.get(_TREES[task.name])
    if before is None:
        raise ConfigurationError("has no trees to go on from: train in full", where=f"{task.name} {champion.version}")
    boosted = next(family for family in FAMILIES if family.name == "XGBoost")
    settings = {**params["families"]["XGBoost"], **params["incremental"], "before": before}
    own = {**params, "families": {**params["families"], "XGBoost": settings}}
    model = FoldPipeline(boosted, task, Choice(), own).fit(parts.fit.X, parts.fit.y, parts.fit.weight)
    return settled(task, CONTINUED, model.margins, parts, params, model=model)


def continued_tiers(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of the risk model's tiers when each is continued."""
    more = dict(params["compare"]["incremental"])
    rounds = more.pop("rounds")
    tiers = {
        name: {**tier, "rounds": rounds, "booster": {**tier["booster"], **more}}
        for name, tier in params["tiers"].items()
    }
    return {**params, "tiers": tiers}
