"""The figures the gate judges, each with its bootstrap interval by patient, paired where two models are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.evidence import Evidence
from training.resampling import Flags, Floats, Ranking, interval, patient_draws

Figure = Mapping[str, float]
Figures = Mapping[str, Figure]

METRICS = ("auroc", "average_precision")
# Newton's steps, none longer than this in the slope: where classes hardly overlap a whole step leaps past the fit.
_NEWTON_STEPS, _LONGEST = 40, 0.5
# Stands for every steeper slope: a class told apart without an error has none that is finite.
STEEPEST = 20.0


@dataclass(frozen=True, slots=True)
class Statistics:
    """By judged class: patients, calibration of the challenger, differences to others, the champion's own AUROC.

    `subgroups` is by group, value and class: a difference to the champion, without one the AUROC. Each figure has
    `value`, `low` and `high`. `calling` is by class: recall and average precision over what chance gives; `macro_f1` is
    the gain over the best simple score. Both are of classes that exclude one another, of which the likeliest is called;
    `of` is the figure itself.
    """

    patients: Mapping[str, int]
    calibration: Mapping[str, Figures]
    against_champion: Mapping[str, Figures]
    against_baseline: Mapping[str, Figure]
    champion: Mapping[str, Figure]
    subgroups: Mapping[tuple[str, str, str], Figure]
    calling: Mapping[str, Figures]
    macro_f1: Figure | None


def gather(evidence: Evidence, *, draws: int, seed: int) -> Statistics:
    """Every figure the gate needs, from `draws` samples of patients."""
    weights = np.array([evidence.weight, *patient_draws(evidence.patient, evidence.weight, draws=draws, seed=seed)])
    patients, calibration, to_champion, to_baseline, champions = {}, {}, {}, {}, {}
    precision: dict[str, Floats] = {}
    for k, name in enumerate(evidence.judged):
        truth, challenger = evidence.truth[:, k], evidence.challenger[:, k]
        ours = _curves(truth, challenger, weights)
        precision[name] = ours["average_precision"]
        patients[name] = len(np.unique(evidence.patient[truth]))
        calibration[name] = _calibration(truth, challenger, weights)
        if evidence.champion is not None:
            theirs = _curves(truth, evidence.champion[:, k], weights)
            to_champion[name] = {metric: _figure(ours[metric] - theirs[metric]) for metric in METRICS}
            champions[name] = _figure(theirs["auroc"])
        if evidence.baseline is not None:
            to_baseline[name] = _figure(ours["auroc"] - _auroc(truth, evidence.baseline[:, k], weights))
    excluding = len(evidence.judged) > 1
    return Statistics(
        patients, calibration, to_champion, to_baseline, champions, _by_group(evidence, weights),
        calling=_calling(evidence, precision, weights) if excluding else {},
        macro_f1=_macro_f1_gain(evidence, weights) if excluding else None,
    )  # fmt: skip


def _by_group(evidence: Evidence, weights: Floats) -> dict[tuple[str, str, str], Figure]:
    """AUROC against the champion's where there is one, else as it is."""
    found: dict[tuple[str, str, str], Figure] = {}
    for group, values in evidence.groups.items():
        for value in np.unique(values):
            rows = values == value
            for k, name in enumerate(evidence.judged):
                truth, taken = evidence.truth[rows, k], weights[:, rows]
                ours = _auroc(truth, evidence.challenger[rows, k], taken)
                if evidence.champion is not None:
                    ours = ours - _auroc(truth, evidence.champion[rows, k], taken)
                patients = len(np.unique(evidence.patient[rows][truth]))
                found[group, str(value), name] = {"patients": patients, **_figure(ours)}
    return found


def _calling(evidence: Evidence, precision: Mapping[str, Floats], weights: Floats) -> dict[str, Figures]:
    """By class its recall over the share of all who are called so, its average precision over its share of all."""
    hits, observed, called = _counts(evidence.truth, evidence.challenger, weights)
    total = weights.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = np.where(observed > 0, hits / observed, np.nan)
    return {
        name: {
            "recall": {"of": float(recall[0, k]), **_figure(recall[:, k] - called[:, k] / total)},
            "average_precision": {
                "of": float(precision[name][0]),
                **_figure(precision[name] - observed[:, k] / total),
            },
        }
        for k, name in enumerate(evidence.judged)
    }


def _macro_f1_gain(evidence: Evidence, weights: Floats) -> Figure | None:
    if evidence.baseline is None:
        return None
    ours, theirs = (_macro_f1(evidence.truth, score, weights) for score in (evidence.challenger, evidence.baseline))
    return {"of": float(ours[0]), **_figure(ours - theirs)}


def _macro_f1(truth: Flags, score: Floats, weights: Floats) -> Floats:
    """Mean F1 of the classes; one that neither is nor is called counts nothing."""
    hits, observed, called = _counts(truth, score, weights)
    either = observed + called
    f1 = np.divide(2 * hits, either, out=np.zeros_like(hits), where=either > 0)
    mean: Floats = f1.sum(axis=1) / (either > 0).sum(axis=1)
    return mean


def _counts(truth: Flags, score: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """By draw and class: weight of the rows that are and are called so, that are, that are called so."""
    called = score.argmax(axis=1)[:, None] == np.arange(truth.shape[1])
    hits, observed, named = (weights @ flags.astype(np.float64) for flags in (truth & called, truth, called))
    return hits, observed, named


def _curves(truth: Flags, score: Floats, weights: Floats) -> dict[str, Floats]:
    measure = Ranking(truth, score).both
    return dict(zip(METRICS, np.array([measure(weight) for weight in weights]).T, strict=True))


def _auroc(truth: Flags, score: Floats, weights: Floats) -> Floats:
    measure = Ranking(truth, score).auroc
    return np.array([measure(weight) for weight in weights])


def _calibration(truth: Flags, p: Floats, weights: Floats) -> Figures:
    y, logits = truth.astype(np.float64), _logit(p)
    observed, expected = weights @ y, weights @ p
    total = weights.sum(axis=1)
    base = observed / total
    error = weights @ (p - y) ** 2
    base_error = observed * (1 - base) ** 2 + (total - observed) * base**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "expected_over_observed": _figure(np.where(observed > 0, expected / observed, np.nan)),
            "slope": _figure(slopes(y, logits, weights)),
            "brier_skill": _figure(np.where(base_error > 0, 1 - error / base_error, np.nan)),
        }


def slopes(y: Floats, logits: Floats, weights: Floats) -> Floats:
    """Slope of the outcome on the predicted log-odds for each draw, begun at the fit of all rows, which is near.

    STEEPEST where yes and no are told apart without an error; NaN without both, or where all predictions are the same.
    """
    whole = _slope(y, logits, weights[0], (0.0, 1.0))
    begin = whole if 0.0 < whole[1] < STEEPEST else (0.0, 1.0)
    return np.array([_slope(y, logits, weight, begin)[1] for weight in weights])


def _slope(y: Floats, logits: Floats, weight: Floats, begin: tuple[float, float]) -> tuple[float, float]:
    yes, no = logits[(y > 0) & (weight > 0)], logits[(y == 0) & (weight > 0)]
    if not len(yes) or not len(no):
        return np.nan, np.nan
    if yes.min() > no.max():
        return 0.0, STEEPEST
    intercept, slope = _line(y, logits, weight, begin)
    return intercept, float(np.clip(slope, -STEEPEST, STEEPEST))


def _line(y: Floats, logits: Floats, weight: Floats, begin: tuple[float, float]) -> tuple[float, float]:
    """Intercept and slope by weighted logistic regression (Newton's steps); NaN where none can be fitted."""
    intercept, slope = begin
    for _ in range(_NEWTON_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(intercept + slope * logits, -30, 30)))
        curvature, residual = weight * p * (1 - p), weight * (y - p)
        turned = curvature * logits
        a, b, c = curvature.sum(), turned.sum(), (turned * logits).sum()
        determinant = a * c - b * b
        if determinant <= 1e-12:
            return np.nan, np.nan
        up, along = residual.sum(), (residual * logits).sum()
        step = np.array([c * up - b * along, a * along - b * up]) / determinant
        step /= max(1.0, abs(step[1]) / _LONGEST)
        intercept, slope = intercept + step[0], slope + step[1]
        if np.abs(step).max() < 1e-4:
            break
    return intercept, slope


def _logit(p: Floats) -> Floats:
    bounded = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(bounded) - np.log1p(-bounded)


def _figure(values: Floats) -> Figure:
    """The first value is of all rows as they are, the others are the bootstrap's."""
    low, high = interval(values[1:])
    return {"value": float(values[0]), "low": low, "high": high}
