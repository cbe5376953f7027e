"""What `evaluation.json` of a comparison says: the leaderboard with its intervals, and everything the report draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.features import FEATURES
from training.candidates import FAMILIES
from training.comparison import Comparison
from training.conformal import coverage
from training.contest import Contender
from training.curves import class_charts, correlations, learning_curve
from training.dataset import Dataset
from training.explained import explanation
from training.figures import Curves, Draws, class_curves, confusion, draws_of, overall_curves, with_interval
from training.groups import bias_record, groups_of
from training.in_service import new_to

FORMAT = 1
# Differences to the winner that are told, each the mean of the judged classes.
_COMPARED = ("auroc", "auprc", "brier")
_BY_GROUP = ("auroc", "auprc", "expected_over_observed", "recall")


def evaluation_of(found: Comparison) -> dict[str, Any]:
    """Everything but times, which no second run would repeat."""
    test, options = found.parts.test, found.params["compare"]
    draws = draws_of(test, resamples=options["resamples"], seed=options["seed"])
    curves = {c.name: class_curves(found.task, test, c.p, draws) for c in found.contenders}
    return {
        "format": FORMAT,
        "task": found.task.name,
        "classes": list(found.task.classes),
        "judged": list(found.task.judged_names),
        "winner": found.winner.name,
        "champion": found.champion.version if found.champion else None,
        "synthetic": test.synthetic,
        "recalibration": _recalibration(found),
        "rows": {name: _counts(found, part) for name, part in zip(_PARTS, found.parts, strict=True)},
        "leaderboard": sorted(_lines(found, curves), key=lambda line: -(line["nested"] or {"mean": 0})["mean"]),
        "outside_service": _better_but_not_served(found, curves),
        "bias": bias_record(reduce(Dataset.joined, found.parts)),
        "subgroups": dict(_subgroups(found, draws)),
        "charts": class_charts(found),
        "explanation": explanation(found),
        "correlations": correlations(found.parts.fit),
        "learning_curve": learning_curve(found),
        "features": list(FEATURES),
    }


_PARTS = ("fit", "calibration", "conformal", "test")


def _counts(found: Comparison, part: Dataset) -> dict[str, Any]:
    by_class = np.bincount(part.y, minlength=len(found.task.classes)).tolist()
    return {
        "rows": len(part.y),
        "patients": len(np.unique(part.patient)),
        "by_class": dict(zip(found.task.classes, by_class, strict=True)),
    }


def _recalibration(found: Comparison) -> dict[str, int] | None:
    """On how many conformal rows, new to the model in service, its recalibration was compared; None without one."""
    if found.champion is None or found.task.name != "risk":
        return None
    return {"conformal": len(found.parts.conformal.y), "new": len(new_to(found.champion, found.parts.conformal).y)}


def _lines(found: Comparison, curves: Mapping[str, Mapping[str, Curves]]) -> Iterator[dict[str, Any]]:
    winner = overall_curves(curves[found.winner.name])
    test = found.parts.test
    for contender in found.contenders:
        own = curves[contender.name]
        overall = overall_curves(own)
        yield {
            "family": contender.name,
            "served": contender.name == found.winner.name,
            "choice": _choice(contender),
            "nested": _nested(contender),
            "overall": {name: with_interval(values) for name, values in overall.items()},
            "classes": {name: {key: with_interval(v) for key, v in one.items()} for name, one in own.items()},
            "difference_to_winner": {name: with_interval(overall[name] - winner[name]) for name in _COMPARED},
            "confusion": confusion(found.task, test, contender.p),
            "conformal": coverage(contender.p, test.y, contender.limits, found.task.classes),
        }


def _choice(contender: Contender) -> dict[str, Any]:
    choice = contender.search.choice
    return {
        "steps": list(choice.steps),
        "arm": choice.arm,
        "settings": dict(choice.settings),
        "tried": {name: round(value, 6) for name, value in contender.search.tried.items()},
        "trials": contender.search.trials,
    }


def _nested(contender: Contender) -> dict[str, Any] | None:
    if not contender.nested:
        return None
    return {"mean": round(float(np.mean(contender.nested)), 6), "folds": [round(v, 6) for v in contender.nested]}


def _better_but_not_served(found: Comparison, curves: Mapping[str, Mapping[str, Curves]]) -> list[str]:
    """Families that rank better than the winner with an interval above zero, though no service can run them."""
    winner = overall_curves(curves[found.winner.name])
    ran = {family.name for family in FAMILIES if found.task.name in family.served}
    gains = {name: overall_curves(own)["auroc"] - winner["auroc"] for name, own in curves.items() if name not in ran}
    return [name for name, gain in gains.items() if (with_interval(gain)["low"] or 0.0) > 0.0]


def _subgroups(found: Comparison, draws: Draws) -> Iterator[tuple[str, Any]]:
    test, winner = found.parts.test, found.winner
    for group, values in groups_of(test).items():
        for value in np.unique(values):
            rows: NDArray[np.bool_] = values == value
            curves = class_curves(found.task, test.rows(rows), winner.p[rows], draws[:, rows])
            yield (
                f"{group}: {value}",
                {
                    "rows": int(rows.sum()),
                    "classes": {
                        name: {"cases": int((test.y[rows] == found.task.classes.index(name)).sum())}
                        | {key: with_interval(own[key]) for key in _BY_GROUP}
                        for name, own in curves.items()
                    },
                },
            )
