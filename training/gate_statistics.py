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
_NEWTON_STEPS = 12


@dataclass(frozen=True, slots=True)
class Statistics:
    """By judged class: patients, calibration of the challenger, differences to others, the champion's own AUROC.

    `subgroups` is by group, value and class. Each figure has `value`, `low` and `high`.
    """

    patients: Mapping[str, int]
    calibration: Mapping[str, Figures]
    against_champion: Mapping[str, Figures]
    against_baseline: Mapping[str, Figure]
    champion: Mapping[str, Figure]
    subgroups: Mapping[tuple[str, str, str], Figure]


def gather(evidence: Evidence, *, draws: int, seed: int) -> Statistics:
    """Every figure the gate needs, from `draws` samples of patients."""
    weights = np.array([evidence.weight, *patient_draws(evidence.patient, evidence.weight, draws=draws, seed=seed)])
    patients, calibration, to_champion, to_baseline, champions = {}, {}, {}, {}, {}
    for k, name in enumerate(evidence.judged):
        truth, challenger = evidence.truth[:, k], evidence.challenger[:, k]
        ours = _curves(truth, challenger, weights)
        patients[name] = len(np.unique(evidence.patient[truth]))
        calibration[name] = _calibration(truth, challenger, weights)
        if evidence.champion is not None:
            theirs = _curves(truth, evidence.champion[:, k], weights)
            to_champion[name] = {metric: _figure(ours[metric] - theirs[metric]) for metric in METRICS}
            champions[name] = _figure(theirs["auroc"])
        if evidence.baseline is not None:
            to_baseline[name] = _figure(ours["auroc"] - _curve("auroc", truth, evidence.baseline[:, k], weights))
    subgroups = {} if evidence.champion is None else _by_group(evidence, evidence.champion, weights)
    return Statistics(patients, calibration, to_champion, to_baseline, champions, subgroups)


def _by_group(evidence: Evidence, champion: Floats, weights: Floats) -> dict[tuple[str, str, str], Figure]:
    found: dict[tuple[str, str, str], Figure] = {}
    for group, values in evidence.groups.items():
        for value in np.unique(values):
            rows = values == value
            for k, name in enumerate(evidence.judged):
                truth, taken = evidence.truth[rows, k], weights[:, rows]
                ours = _curve("auroc", truth, evidence.challenger[rows, k], taken)
                theirs = _curve("auroc", truth, champion[rows, k], taken)
                patients = len(np.unique(evidence.patient[rows][truth]))
                found[group, str(value), name] = {"patients": patients, **_figure(ours - theirs)}
    return found


def _curves(truth: Flags, score: Floats, weights: Floats) -> dict[str, Floats]:
    return {metric: _curve(metric, truth, score, weights) for metric in METRICS}


def _curve(metric: str, truth: Flags, score: Floats, weights: Floats) -> Floats:
    measure = getattr(Ranking(truth, score), metric)
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
    """Slope of the outcome on the predicted log-odds for each draw, begun at the fit of all rows, which is near."""
    whole = _line(y, logits, weights[0], (0.0, 1.0))
    begin = (0.0, 1.0) if np.isnan(whole[1]) else whole
    return np.array([_line(y, logits, weight, begin)[1] for weight in weights])


def _line(y: Floats, logits: Floats, weight: Floats, begin: tuple[float, float]) -> tuple[float, float]:
    """Intercept and slope by weighted logistic regression (Newton's steps); NaN where none can be fitted."""
    intercept, slope = begin
    for _ in range(_NEWTON_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(intercept + slope * logits, -30, 30)))
        curvature, residual = weight * p * (1 - p), weight * (y - p)
        a, b, c = curvature.sum(), curvature @ logits, curvature @ logits**2
        determinant = a * c - b * b
        if determinant <= 1e-12:
            return np.nan, np.nan
        up, along = residual.sum(), residual @ logits
        step = (c * up - b * along) / determinant, (a * along - b * up) / determinant
        intercept, slope = intercept + step[0], slope + step[1]
        if max(map(abs, step)) < 1e-4:
            break
    return intercept, slope


def _logit(p: Floats) -> Floats:
    bounded = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(bounded) - np.log1p(-bounded)


def _figure(values: Floats) -> Figure:
    """The first value is of all rows as they are, the others are the bootstrap's."""
    low, high = interval(values[1:])
    return {"value": float(values[0]), "low": low, "high": high}
