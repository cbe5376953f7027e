"""A comparison from data to a published challenger with its verdict: `python -m training compare TASK`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from cds_service.errors import ConfigurationError
from training.candidates import FAMILIES
from training.challenger import publish
from training.comparison import Comparison, Order
from training.contest import Contender, contend, settled
from training.continued import CONTINUED, continued
from training.dataset import Dataset, read_dataset
from training.exported import is_exported, read_exported
from training.in_service import RECALIBRATED, Champion, as_it_is, new_to, read_champion
from training.partition import Parts, partition, require_classes
from training.risk import tier_params
from training.scores import Scores
from training.sources import refuse_pooled_sources
from training.task import TASKS, Task
from training.tuning import Budget

Report = Callable[[str], None]


def run(order: Order, params: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Publish a challenger at `out`; what its gate says."""
    task = TASKS[order.task]
    if order.incremental and order.champion is None:
        raise ConfigurationError("needs a version in service to go on from", where="--incremental")
    data, mode = read_rows(order.data, task, params["compare"]["split"])
    own = for_task(task, params)
    champion = read_champion(order.champion, task) if order.champion else None
    refuse_pooled_sources(data, own["sources"])
    require_classes(data, task, own["least_patients"])
    parts = partition(data, params["split"] | own["split"], mode=mode)
    contenders = list(_contenders(order, task, parts, own, report))
    if champion:
        if order.incremental:
            contenders.append(continued(champion, task, parts, own))
        contenders.append(as_it_is(champion, parts, own))
        contenders.append(settled(task, RECALIBRATED, champion.margins, parts, own))
    winner = _winner(task, contenders, _unmet(champion, task, parts, own["least_patients"]))
    report(f"publishing {winner.name}")
    return publish(
        order, Comparison(task, parts, mode, tuple(contenders), winner, champion, {**params, "compare": own})
    )


def _contenders(
    order: Order, task: Task, parts: Parts, params: Mapping[str, Any], report: Report
) -> Iterator[Contender]:
    """Every family in order of worth; those begun after the deadline are fitted and judged with no search."""
    begun = monotonic()
    for family in sorted(FAMILIES, key=lambda family: (task.name not in family.served, not family.tuned)):
        if order.incremental and not family.bare:
            continue
        report(family.name)
        if order.trials is None:
            is_late = monotonic() - begun > params["deadline_seconds"]
        else:
            is_late = family.name in order.unsearched
        taken = replace(family, bare=True) if is_late else family
        yield contend(taken, task, parts, params, _budget(order, params, family.name))


def for_task(task: Task, params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of the comparison; the risk model's boosted trees begin where the one in service stands."""
    own = dict(params["compare"])
    if task.name == "risk":
        tier = tier_params(params, "full")
        served = {**tier["booster"], "rounds": tier["rounds"], "monotone": tier["monotone"], "dropout": tier["dropout"]}
        own["families"] = {**own["families"], "XGBoost": served}
    return own


def read_rows(directory: Path, task: Task, split: Mapping[str, Any]) -> tuple[Dataset, str]:
    """The rows of the task and the way they are split."""
    if is_exported(directory):
        return read_exported(directory, task), split[task.name]
    if task.name != "risk":
        raise ConfigurationError("holds no dataset of labels: see `cds export-labels`", where=str(directory))
    return read_dataset(directory), split["survey"]


def _budget(order: Order, params: Mapping[str, Any], family: str) -> Budget:
    if order.trials is not None:
        return Budget(trials=order.trials.get(family, 0))
    searches = len(params["tuning"]) * (params["outer_folds"] + 1)
    return Budget(seconds=params["budget_seconds"] / searches)


def _unmet(champion: Champion | None, task: Task, parts: Parts, least: int) -> Dataset | None:
    """Conformal rows that are new to the champion too; None where a class has too few to compare anything on."""
    if champion is None:
        return None
    rows = new_to(champion, parts.conformal)
    enough = all(len(np.unique(rows.patient[rows.y == k])) >= least for k in range(len(task.classes)))
    return rows if enough else None


def _winner(task: Task, contenders: list[Contender], unmet: Dataset | None) -> Contender:
    """The best of what can be served, by nested cross-validation: the test rows take no part.

    What continues the champion stands for all of them. A recalibration has no folds of its own; it wins where its log
    loss on the `unmet` rows, new to both, is lower, and never without such rows.
    """
    served = {family.name for family in FAMILIES if task.name in family.served}
    best = next((c for c in contenders if c.name == CONTINUED), None) or max(
        (c for c in contenders if c.name in served), key=lambda c: float(np.mean(c.nested))
    )
    again = next((c for c in contenders if c.name == RECALIBRATED), None)
    if again is None or unmet is None or task.name != "risk" or _loss(again, unmet) >= _loss(best, unmet):
        return best
    return again


def _loss(contender: Contender, rows: Dataset) -> float:
    p: Scores = contender.calibration.probabilities(contender.margins(rows.X))
    return float(-np.average(np.log(np.clip(p[np.arange(len(rows.y)), rows.y], 1e-12, 1)), weights=rows.weight))
