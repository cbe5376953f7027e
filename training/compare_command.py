"""`python -m training compare TASK`: a challenger with its leaderboard, report and verdict."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cds_service.errors import ConfigurationError
from training.compare import run
from training.comparison import Order
from training.leaderboard import leaderboard_on_terminal, progress_on_terminal
from training.params import PARAMS, read_params
from training.reproduce import reproduce
from training.task import TASKS
from training.tracking import track


def main(arguments: list[str]) -> int:
    """Exit code: 0 published (whatever the gate says) or reproduced, 1 refused with one line why, 2 usage."""
    options = _parser().parse_args(arguments)
    try:
        if options.reproduce:
            return _reproduced(options)
        params = _params(options)
        with progress_on_terminal() as report:
            verdict = run(_order(options, params), params, report)
        if options.track:
            track(options.out, options.track)
    except ConfigurationError as problem:
        print(problem, file=sys.stderr)
        return 1
    leaderboard_on_terminal(options.out)
    print(f"{options.task} {options.out.name}: the gate says {verdict['verdict']}")
    return 0


def _order(options: argparse.Namespace, params: Mapping[str, Any]) -> Order:
    families = params["compare"]["tuning"]
    return Order(
        task=options.task,
        data=options.data,
        out=options.out,
        trainer=options.trainer,
        champion=options.champion,
        at=options.at,
        incremental=options.incremental,
        trials=None if options.trials is None else dict.fromkeys(families, options.trials),
    )


def _params(options: argparse.Namespace) -> dict[str, Any]:
    params = read_params(options.params)
    if options.budget_seconds is not None:
        params["compare"]["budget_seconds"] = options.budget_seconds
    return params


def _reproduced(options: argparse.Namespace) -> int:
    """Make a published version again beside itself, and say whether its bytes came out the same."""
    differing = reproduce(options.out.parent / options.reproduce, options.data)
    for name in differing:
        print(f"{options.task} {options.reproduce}: {name} came out otherwise", file=sys.stderr)
    if not differing:
        print(f"{options.task} {options.reproduce}: the same bytes")
    return 1 if differing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training compare", description="Compare families of models.")
    parser.add_argument("task", choices=tuple(TASKS))
    parser.add_argument("--data", type=Path, required=True, help="directory of a dataset, or of the survey for risk")
    parser.add_argument("--out", type=Path, required=True, help="MODELS_DIR/TASK/VERSION to publish to")
    parser.add_argument("--champion", type=Path, help="MODELS_DIR/TASK/VERSION in service")
    parser.add_argument("--trainer", required=True, help="who asks; another person promotes")
    parser.add_argument("--params", type=Path, default=PARAMS, help="file of parameters")
    parser.add_argument("--budget-seconds", type=float, help="tuning of all boosting families together")
    parser.add_argument("--trials", type=int, help="a number of trials a search instead: the same on every machine")
    parser.add_argument("--incremental", action="store_true", help="only continue and recalibrate the champion")
    parser.add_argument("--at", help="moment to write into the verdict")
    parser.add_argument("--track", metavar="URI", help="also record the run in MLflow, such as sqlite:///mlflow.db")
    parser.add_argument("--reproduce", metavar="VERSION", help="make a version again and compare its bytes")
    return parser
