"""What one assessment concluded: the value behind every card, row, resource and page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from cds_service.domain.patient import PatientSnapshot


@dataclass(frozen=True, slots=True)
class EarlyWarning:
    """NEWS2, complete or as bounds.

    `points` maps the seven parameters (respiratory_rate, spo2, on_oxygen, systolic_bp, pulse,
    consciousness, temperature) to points, None where unknown; `lower` and `upper` bound the total
    and are equal when it is complete. `red` names parameters that score 3. `level` is low,
    low-medium, medium or high, of the lower bound; `upper_level` of the upper.
    `spread_min` is minutes between oldest and newest input; `composed` says it passed the limit.
    """

    points: Mapping[str, int | None]
    lower: int
    upper: int
    red: tuple[str, ...]
    unknown: tuple[str, ...]
    level: str
    upper_level: str
    scale: int
    spread_min: float
    composed: bool
    remarks: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all seven inputs were known."""
        return not self.unknown


class Driver(NamedTuple):
    """One input's exact SHAP value, in log-odds of the model's margin; `value` is None when the input was missing."""

    feature: str
    value: float | str | None
    contribution: float


# Who may have taught a risk model: the survey it was shipped with, a hospital's own visits, or invented patients.
POPULATIONS = ("survey", "hospital", "invented")


@dataclass(frozen=True, slots=True)
class RiskEstimate:
    """Calibrated probability of ICU admission from this visit, with its band, tier of inputs and drivers.

    `drivers` are ordered by absolute contribution, largest first. `margin` is the model's raw log-odds. `population` is
    who taught it, and of whom the probability is a share: one of POPULATIONS.
    """

    probability: float
    band: str
    tier: str
    base_rate: float
    margin: float
    drivers: tuple[Driver, ...]
    population: str = "survey"


class StateTag(NamedTuple):
    """A state of disease and what it rests on: basis is score, model, record or rule."""

    state: str
    basis: tuple[str, ...]
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StateEstimate:
    """Calibrated probabilities of the five states, by a model a hospital's own history taught.

    `probabilities` add up to 1. `likely` is the conformal set: states it holds the true one of, in a share `coverage`
    of patients like those it was calibrated on. `synthetic` says that these were invented.
    """

    version: str
    probabilities: Mapping[str, float]
    likely: tuple[str, ...]
    coverage: float
    synthetic: bool


class Prediction(NamedTuple):
    """One assessment of one snapshot by one model version under one site file.

    `news2` is None with `news2_omitted` saying why, `risk` likewise.
    `would_help` names missing inputs, most useful first. `state_model` is None where no model of states is in force,
    or it does not apply to the patient.
    """

    id: UUID
    snapshot: PatientSnapshot
    news2: EarlyWarning | None
    news2_omitted: str | None
    risk: RiskEstimate | None
    risk_omitted: str | None
    states: tuple[StateTag, ...]
    would_help: tuple[str, ...]
    model_version: str
    site_hash: str
    state_model: StateEstimate | None = None
