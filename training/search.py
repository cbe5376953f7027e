"""Chooses steps, arm and settings by cross-validation in the rows it is given, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from training.candidates import Choice, Family, FoldPipeline
from training.dataset import Dataset
from training.resampling import Ranking
from training.scores import Scores
from training.task import Task
from training.tuning import Budget, tuned

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Search:
    """A choice, the score of every option that was tried, and how many trials of tuning there were."""

    choice: Choice
    tried: Mapping[str, float]
    trials: int = 0


def folds(data: Dataset, n: int, seed: int) -> Iterator[tuple[Numbers, Numbers]]:
    """Rows to fit on and rows left out, by patient, each class spread evenly."""
    yield from StratifiedGroupKFold(n, shuffle=True, random_state=seed).split(data.X, data.y, data.patient)


def quality(task: Task, y: NDArray[np.int8], margins: Scores, weight: Scores) -> float:
    """AUROC and average precision, mean of the judged classes: a rank alone, so no arm wins by shouting louder.

    A class is ranked by its log-odds against the others together, as its probability would.
    """
    rankings = [Ranking(y == k, margins[:, k] - np.logaddexp.reduce(np.delete(margins, k, 1), 1)) for k in task.judged]
    return float(np.nanmean([ranking.auroc(weight) + ranking.average_precision(weight) for ranking in rankings]))


def left_out_margins(data: Dataset, make: Callable[[], FoldPipeline], n: int, seed: int) -> Scores:
    """Margins of every row by a model that was fitted without its patient."""
    margins: Scores | None = None
    for fitted, left_out in folds(data, n, seed):
        found = _fitted_margins(make(), data, fitted, left_out)
        margins = np.empty((len(data.y), found.shape[1])) if margins is None else margins
        margins[left_out] = found
    assert margins is not None  # noqa: S101 - folds are never empty
    return margins


def choose(family: Family, task: Task, data: Dataset, params: Mapping[str, Any], budget: Budget) -> Search:
    """Steps and arm one at a time, each kept where it wins; then settings, for families that are tuned."""
    if family.bare:
        return Search(Choice(), {})
    some = sample_of(data, params["choice_rows"], params["seed"])
    tried: dict[str, float] = {}

    def score(choice: Choice) -> Scores:
        return np.array(
            [
                quality(task, some.y[left], _fitted_margins(pipeline(choice), some, taught, left), some.weight[left])
                for taught, left in folds(some, params["inner_folds"], params["seed"])
            ]
        )

    def pipeline(choice: Choice) -> FoldPipeline:
        return FoldPipeline(family, task, choice, params)

    choice, best = Choice(), score(Choice())
    tried = {"plain": float(best.mean())}
    for name, change in _options(params):
        found = score(change(choice))
        tried[name] = float(found.mean())
        if _wins(found, best, params["margin"]) and name in family.served.get(task.name, (name,)):
            choice, best = change(choice), found
    if not family.tuned or budget.trials == 0:
        return Search(choice, tried)
    space = {**params["tuning"][family.name], "margin": params["margin"], "seed": params["seed"]}
    settings, trials = tuned(lambda found: float(score(replace(choice, settings=found)).mean()), space, budget)
    return Search(replace(choice, settings=settings), tried, trials)


def _fitted_margins(model: FoldPipeline, data: Dataset, fitted: Numbers, left_out: Numbers) -> Scores:
    return model.fit(data.X[fitted], data.y[fitted], data.weight[fitted]).margins(data.X[left_out])


def _wins(ours: Scores, theirs: Scores, margin: float) -> bool:
    """By the margin on the whole and in every fold: one lucky fold is no reason."""
    return bool((ours - theirs).mean() > margin and (ours > theirs).all())


def _options(params: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[Choice], Choice]]]:
    for step in params["steps"]:
        yield step, partial(_with_step, step=step)
    for arm in params["arms"]["tried"]:
        yield arm, partial(replace, arm=arm)


def _with_step(choice: Choice, *, step: str) -> Choice:
    return replace(choice, steps=(*choice.steps, step))


def sample_of(data: Dataset, most: int, seed: int) -> Dataset:
    """At most so many rows, whole patients drawn by chance, in their order."""
    if len(data.y) <= most:
        return data
    patients = np.random.default_rng(seed).permutation(np.unique(data.patient))
    share = most / len(data.y)
    return data.rows(np.isin(data.patient, patients[: int(share * len(patients))]))
