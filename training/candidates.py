"""The families of a comparison as a table, and the pipeline that holds one of them together inside a fold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from cds_service.domain.features import Matrix
from training.arms import ARMS, NEEDS_ALL_VALUES
from training.estimators import BoostedTrees, GuardedNetwork, SteadyForest
from training.scores import Labels, Scores, log_probabilities
from training.simple_scores import SIMPLE_SCORES, ScoreModel
from training.steps import FeatureSteps, imputed_and_scaled
from training.task import Task

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for a family inside folds: feature steps, arm against rarity, and settings over the default."""

    steps: tuple[str, ...] = ()
    arm: str = "plain"
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of model.

    `build` makes an unfitted estimator from a task and settings; `needs_values` whether missing values must be filled
    and scaled first; `bare` marks what takes no steps, arms or tuning; `served` holds, for each task whose service can
    run it, the options its served form can hold (the others are tried and told, never kept).
    """

    name: str
    build: Callable[[Task, Settings], Any]
    needs_values: bool = True
    bare: bool = False
    served: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tuned: bool = False


def _boosted(task: Task, settings: Settings) -> BoostedTrees:
    given = ("monotone", "dropout", "before")
    own = {key: value for key, value in settings.items() if key not in given}
    return BoostedTrees(own, len(task.classes), *map(settings.get, given))


def _lightgbm(task: Task, settings: Settings) -> LGBMClassifier:
    return LGBMClassifier(**settings, deterministic=True, force_row_wise=True, n_jobs=1, verbose=-1)


def _svm(task: Task, settings: Settings) -> Any:
    nystroem = Nystroem(n_components=settings["components"], gamma=settings["gamma"], random_state=settings["seed"])
    return make_pipeline(nystroem, LinearSVC(C=settings["C"], random_state=settings["seed"]))


def _simple(task: Task, settings: Settings, *, score: str) -> ScoreModel:
    return ScoreModel(score)


_REWEIGHTED = ("class-weights", "oversampling")

FAMILIES: tuple[Family, ...] = (
    Family("decision tree", lambda task, settings: DecisionTreeClassifier(**settings), needs_values=False),
    Family("random forest", lambda task, settings: SteadyForest(**settings, n_jobs=2), needs_values=False),
    Family("XGBoost", _boosted, needs_values=False, served={"risk": (), "state": _REWEIGHTED}, tuned=True),
    Family("LightGBM", _lightgbm, needs_values=False, tuned=True),
    Family("MLP", lambda task, settings: GuardedNetwork(**settings)),
    Family(
        "logistic regression",
        lambda task, settings: LogisticRegression(**settings),
        served={"state": (*_REWEIGHTED, "smote")},
    ),
    Family("SVM (Nystroem)", _svm),
    *(Family(name, partial(_simple, score=name), needs_values=False, bare=True) for name in SIMPLE_SCORES),
)


class FoldPipeline(BaseEstimator):  # type: ignore[misc]
    """Steps, imputation, arm and model, all learned in `fit`: nothing of them can see a row outside the fold."""

    def __init__(self, family: Family, task: Task, choice: Choice, params: Mapping[str, Any]) -> None:
        self.family = family
        self.task = task
        self.choice = choice
        self.params = params

    def fit(self, X: Matrix, y: Labels, weight: Scores) -> FoldPipeline:
        """Learn from the rows of one fold; made-up or repeated rows come into being here and stay here."""
        fills = self.family.needs_values or self.choice.arm in NEEDS_ALL_VALUES
        self.prepare_ = make_pipeline(FeatureSteps(self.choice.steps), *([imputed_and_scaled()] if fills else []))
        rows = self.prepare_.fit_transform(X, y).astype(np.float32), y, weight
        settings = {**self.params["families"].get(self.family.name, {}), **self.choice.settings}
        self.model_ = clone(self.family.build(self.task, settings))
        taught, labels, weights = ARMS[self.choice.arm](rows, self.params["arms"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model_.fit(taught, labels, **_weights(self.model_, weights))
        return self

    def margins(self, X: Matrix) -> Scores:
        """Unnormalised log-probabilities of every class, shape (n, n_classes)."""
        return class_margins(self.model_, self.prepare_.transform(X).astype(np.float32), len(self.task.classes))


def class_margins(model: Any, X: Matrix, n_classes: int) -> Scores:
    """A fitted model's margins, in whichever way it tells them; a class it never met gets the lowest."""
    if hasattr(model, "margins"):
        found = model.margins(X)
    elif hasattr(model, "decision_function"):
        found = model.decision_function(X)
    else:
        found = log_probabilities(model.predict_proba(X))
    if found.ndim == 1:
        found = np.column_stack([np.zeros(len(X)), found])
    margins = np.full((len(X), n_classes), log_probabilities(np.zeros(1))[0])
    margins[:, np.asarray(model.classes_, dtype=int)] = found
    return margins


def _weights(model: Any, weight: Scores) -> dict[str, Scores]:
    """The weights under the name the model knows them by; a pipeline hands them to its last step."""
    return {"linearsvc__sample_weight" if hasattr(model, "steps") else "sample_weight": weight}
