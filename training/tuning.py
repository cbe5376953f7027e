"""Tunes a family by Optuna: within seconds, or for a number of trials, which is the same on every machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna


@dataclass(frozen=True, slots=True)
class Budget:
    """What one search may take; `trials` wins over `seconds`."""

    seconds: float = 0.0
    trials: int | None = None


def tuned(
    score: Callable[[Mapping[str, Any]], float], space: Mapping[str, Any], budget: Budget
) -> tuple[dict[str, Any], int]:
    """Settings that beat the default ones by the margin, else none; and the number of trials.

    The default is the first trial: what is in service is given up only for something better.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=space["seed"]))
    default = score({})
    limits = {"n_trials": budget.trials} if budget.trials is not None else {"timeout": budget.seconds}
    study.optimize(lambda trial: score(_drawn(trial, space["ranges"])), **limits, catch=())
    trials = len(study.trials)
    if not trials or study.best_value <= default + space["margin"]:
        return {}, trials
    return dict(study.best_params), trials


def _drawn(trial: optuna.Trial, ranges: Mapping[str, list[Any]]) -> dict[str, Any]:
    """One value of each setting; a range is [low, high, "int" | "float" | "log"]."""
    drawn: dict[str, Any] = {}
    for name, (low, high, kind) in ranges.items():
        if kind == "int":
            drawn[name] = trial.suggest_int(name, low, high)
        else:
            drawn[name] = trial.suggest_float(name, low, high, log=kind == "log")
    return drawn
