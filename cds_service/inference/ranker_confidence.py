"""How far a list can be trusted: scores to calibrated shares, and shares to the words low, medium, high."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.ontology import Floats, Ints


class Trust(NamedTuple):
    """For each length of the list the probability that it holds the disease, and what each place adds to it."""

    within: NDArray[np.float64]
    shares: NDArray[np.float64]


class Confidence(NamedTuple):
    """Calibrated on published cases with their own papers removed (docs/reference/rare.md).

    The scores, as a softmax of steepness `steepness`, give the mass of the first places; a logistic curve of that
    mass (`mass_weight`), the number of findings (`findings_weight`) and `intercept` gives the probability. The bands
    begin at `candidate_*` and `list_*`.
    """

    steepness: float
    intercept: float
    mass_weight: float
    findings_weight: float
    candidate_medium: float
    candidate_high: float
    list_medium: float
    list_high: float

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Confidence:
        """The numbers in `method.json`."""
        return cls(**{name: float(document[name]) for name in cls._fields})

    def of_ranking(self, scores: Floats, best: Ints, n_findings: int) -> Trust:
        """The trust in each prefix of the best rows."""
        if not n_findings:
            return Trust(np.zeros(len(best)), np.zeros(len(best)))
        logit = self.intercept + self.findings_weight * np.log(n_findings)
        logit = logit + self.mass_weight * log_odds_of_mass(scores, best, self.steepness)
        within = 1 / (1 + np.exp(-logit))
        return Trust(within, np.diff(within, prepend=0.0))

    def candidate_band(self, share: float) -> str:
        """The band of one candidate."""
        return _band(share, self.candidate_medium, self.candidate_high)

    def list_band(self, probability: float) -> str:
        """The band of a whole list."""
        return _band(probability, self.list_medium, self.list_high)


def log_odds_of_mass(scores: Floats, best: Ints, steepness: float) -> NDArray[np.float64]:
    """Log-odds of the softmax mass of the first 1, 2, … of the best rows, shape (best,)."""
    mass = np.exp(steepness * (scores - scores[best[0]]).astype(np.float64))
    first = np.cumsum(mass[best])
    rest = np.maximum(mass.sum() - first, 1e-12 * first)
    return np.asarray(np.log(first / rest))


def _band(value: float, medium: float, high: float) -> str:
    return "high" if value >= high else "medium" if value >= medium else "low"
