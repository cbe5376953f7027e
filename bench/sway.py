"""What becomes of a model that is taught, round after round, by labels its own cards swayed: `python -m bench.sway`.

In each round new visits of the invented hospital are scored by the model of the round before, most clinicians who see
a high risk call it an admission, and the next model is fitted on what they said: naively, each label the same, or with
the weights that a dataset holds against sway. Both are judged on visits whose truth is known. All of it is seeded.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cds_service.demo.visits import Visit, Ward, sayings, visits
from cds_service.domain.dataset import class_of
from cds_service.domain.features import Matrix, matrix_from_snapshots
from cds_service.domain.policy import AssessmentPolicy, ReadingPolicy
from cds_service.domain.sway import sight, weights
from cds_service.inference.codes import load_code_tables
from cds_service.inference.predictor import load_predictor
from cds_service.records.reader import snapshot_from_record
from training.candidates import FAMILIES, Choice, FoldPipeline
from training.compare import for_task
from training.params import read_params
from training.resampling import Flags, Floats, Ranking
from training.scores import softmax
from training.task import TASKS

_MODELS = Path(__file__).parents[1] / "models"
_AT = datetime(2026, 3, 14, 8, 40, tzinfo=UTC)
# Chosen by us so that the loop closes: most high risks are looked at, and most who look go along.
WARD = Ward(labelled=1.0, corrected=0.0, disputed=0.0, seen=0.8, swayed=0.8)
ROUNDS, VISITS, TESTED = 4, 2000, 3000
SEEDS = (1, 2, 3)

Score = Callable[[Matrix], Floats]


class Worth(NamedTuple):
    """What a model is worth on the truth: AUROC, expected over observed, and Brier skill over the base rate."""

    auroc: float
    expected_over_observed: float
    skill: float


def main() -> None:
    """One line for each seed and way of teaching, and the margin between the two ways."""
    for seed in SEEDS:
        naive, weighted = (taught(seed, weighs=weighs) for weighs in (False, True))
        for name, worth in (("naive", naive), ("weighted", weighted)):
            told = "  ".join(f"{field} {value:.3f}" for field, value in worth._asdict().items())
            print(f"seed {seed}, after {ROUNDS} rounds: {name:<8}  {told}")
        print(f"seed {seed}: weighting is worth {weighted.auroc - naive.auroc:+.3f} AUROC, ", end="")
        print(f"{weighted.skill - naive.skill:+.3f} Brier skill")


def taught(seed: int, *, weighs: bool) -> Worth:
    """What the last model is worth after all rounds, the shipped one giving the first cards."""
    score: Score = load_predictor(_MODELS).score
    for number in range(ROUNDS):
        score = _next(score, seed=100 * seed + number, weighs=weighs)
    tested = list(visits(TESTED, WARD, 100 * seed + ROUNDS))
    return _worth(score(_inputs(tested)), np.array([visit.needs_icu for visit in tested]))


def _next(score: Score, *, seed: int, weighs: bool) -> Score:
    """A model fitted on what clinicians said of new visits, after the cards of the model before."""
    seen = list(visits(VISITS, WARD, seed))
    X = _inputs(seen)
    bands = _bands(score(X))
    said = [
        sayings(visit, WARD, said_high=band == "high", seed=seed)[0] for visit, band in zip(seen, bands, strict=True)
    ]
    answers = np.array([saying.icu_admission for saying in said])
    sights = [sight(shown=True, saw_prediction=saying.saw_prediction, is_history=False) for saying in said]
    against = weights(sights, bands, [class_of(bool(answer)) for answer in answers])
    return _fitted(X, answers, against.astype(np.float64) if weighs else np.ones(len(X)))


def _fitted(X: Matrix, answers: Flags, weight: Floats) -> Score:
    """XGBoost with the settings of the comparison, without its search."""
    task = TASKS["risk"]
    family = next(family for family in FAMILIES if family.name == "XGBoost")
    params = for_task(task, read_params())
    params["families"]["XGBoost"]["nthread"] = 1  # so few rows gain nothing from threads
    model = FoldPipeline(family, task, Choice(), params)
    model.fit(X, answers.astype(np.int8), weight)
    return lambda rows: softmax(model.margins(rows))[:, 1]


def _inputs(seen: list[Visit]) -> Matrix:
    """What the service would read from the forms."""
    tables, policy = load_code_tables(_MODELS), ReadingPolicy()
    return matrix_from_snapshots(
        [snapshot_from_record(visit.form, at=_AT, policy=policy, tables=tables) for visit in seen]
    )


def _bands(p: Floats) -> list[str]:
    policy = AssessmentPolicy()
    found: list[str] = np.select([p >= policy.high, p >= policy.moderate], ["high", "moderate"], "low").tolist()
    return found


def _worth(p: Floats, truth: Flags) -> Worth:
    rate = truth.mean()
    return Worth(
        auroc=Ranking(truth, p).auroc(np.ones(len(p))),
        expected_over_observed=float(p.mean() / rate),
        skill=float(1 - np.mean((p - truth) ** 2) / (rate * (1 - rate))),
    )


if __name__ == "__main__":
    main()
