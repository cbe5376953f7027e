"""One family through the comparison: judged in folds, fitted once, calibrated, and asked about the test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cds_service.domain.features import Matrix
from training.candidates import Choice, Family, FoldPipeline
from training.conformal import thresholds
from training.dataset import Dataset
from training.partition import Parts
from training.scores import Calibration, Scores, fit_calibration
from training.search import Search, choose, folds, left_out_margins, quality
from training.task import Task
from training.tuning import Budget

NOT_SEARCHED = Search(Choice(), {})


@dataclass(frozen=True, slots=True)
class Contender:
    """What came of one family.

    `nested` is its quality in each outer fold, where every choice was made anew; `left_out` the calibrated
    probabilities of the fitting rows by models that had not met their patients, only of families that may be served.
    `margins` is how the fitted model scores rows, `p` what it says of the test rows.
    """

    name: str
    margins: Callable[[Matrix], Scores]
    calibration: Calibration
    limits: list[float]
    p: Scores
    nested: tuple[float, ...] = ()
    left_out: Scores | None = None
    search: Search = NOT_SEARCHED
    model: FoldPipeline | None = None


def contend(family: Family, task: Task, parts: Parts, params: Mapping[str, Any], budget: Budget) -> Contender:
    """Take one family through: outer folds first, then once on all fitting rows.

    The first search finds out how many trials the seconds pay for; all others take as many, so a run can be repeated.
    """
    n, serves = len(task.classes), task.name in family.served
    p, nested = np.empty((len(parts.fit.y), n)), []
    for fitted, left in folds(parts.fit, params["outer_folds"], params["seed"]):
        taught, asked = parts.fit.rows(fitted), parts.fit.rows(left)
        search = choose(family, task, taught, params, budget)
        budget = Budget(trials=search.trials)
        margins = _fitted(family, task, taught, search.choice, params).margins(asked.X)
        nested.append(quality(task, asked.y, margins, asked.weight))
        if serves:
            p[left] = _calibrated_inside(family, task, taught, search.choice, params).probabilities(margins)
    search = choose(family, task, parts.fit, params, budget)
    model = _fitted(family, task, parts.fit, search.choice, params)
    return settled(
        task, family.name, model.margins, parts, params,
        nested=tuple(nested), left_out=p if serves else None, search=search, model=model,
    )  # fmt: skip


def settled(
    task: Task, name: str, margins: Callable[[Matrix], Scores], parts: Parts, params: Mapping[str, Any], **known: Any
) -> Contender:
    """A scoring function calibrated, with its conformal limits and its word on the test rows."""
    calibration = fit_calibration(
        margins(parts.calibration.X), parts.calibration.y, parts.calibration.weight,
        ridge=params["calibration_ridge"][task.name],
    )  # fmt: skip
    limits = thresholds(calibration.probabilities(margins(parts.conformal.X)), parts.conformal.y, params["alpha"])
    p = calibration.probabilities(margins(parts.test.X))
    return Contender(name=name, margins=margins, calibration=calibration, limits=limits, p=p, **known)


def _calibrated_inside(
    family: Family, task: Task, data: Dataset, choice: Choice, params: Mapping[str, Any]
) -> Calibration:
    margins = left_out_margins(
        data, lambda: FoldPipeline(family, task, choice, params), params["inner_folds"], params["seed"] + 1
    )
    return fit_calibration(margins, data.y, data.weight, ridge=params["calibration_ridge"][task.name])


def _fitted(family: Family, task: Task, data: Dataset, choice: Choice, params: Mapping[str, Any]) -> FoldPipeline:
    return FoldPipeline(family, task, choice, params).fit(data.X, data.y, data.weight)
