"""Margins and probabilities: what models say and what calibration makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Scores: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int8]

SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1."""

# Bounds of the logarithm of 1 / temperature and of a bias, far beyond what calibration needs.
_SCALES, _BIASES = (-3.0, 3.0), (-12.0, 12.0)


@dataclass(frozen=True, slots=True)
class Calibration:
    """p = softmax(margins / temperature + bias); with two classes that is Platt's slope and intercept."""

    temperature: float
    bias: tuple[float, ...]

    def probabilities(self, margins: Scores) -> Scores:
        """Calibrated probabilities of rows, shape (n, n_classes)."""
        return softmax(margins / self.temperature + np.array(self.bias))


def softmax(margins: Scores) -> Scores:
    """Probabilities of unnormalised log-probabilities."""
    weights = np.exp(margins - margins.max(axis=1, keepdims=True))
    p: Scores = weights / weights.sum(axis=1, keepdims=True)
    return p


def log_probabilities(p: Scores) -> Scores:
    """Margins of probabilities."""
    return np.log(np.clip(p, SMALLEST, 1.0))


def fit_calibration(margins: Scores, y: Labels, weight: Scores, *, ridge: float) -> Calibration:
    """Temperature and biases of least log loss on rows nobody was fitted on (Guo 2017).

    `ridge` draws the biases to zero by about as much as that many rows would, for classes of one or no case.
    """
    truth = np.eye(margins.shape[1])[y]

    def loss(theta: Scores) -> tuple[float, Scores]:
        scale, bias = np.exp(theta[0]), theta[1:]
        p = softmax(margins * scale + bias)
        gap = (p - truth) * weight[:, None]
        right = np.clip((p * truth).sum(axis=1), 1e-300, None)
        value = ridge * (bias**2).sum() / 2 - (weight * np.log(right)).sum()
        gradient = np.concatenate([[scale * (gap * margins).sum()], gap.sum(axis=0) + ridge * bias])
        return value / weight.sum(), gradient / weight.sum()

    start = np.zeros(1 + margins.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[_SCALES, *[_BIASES] * margins.shape[1]])
    bias = found.x[1:] - found.x[1:].mean()
    return Calibration(float(np.exp(-found.x[0])), tuple(bias.tolist()))
