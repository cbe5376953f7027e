"""The one use case every sender ends in: a snapshot becomes a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from cds_service.domain.early_warning import early_warning
from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.policy import AssessmentPolicy
from cds_service.domain.prediction import EarlyWarning, Prediction, RiskEstimate, StateEstimate
from cds_service.domain.state import state_tags
from cds_service.stages import turn


class Estimator(Protocol):
    """What scores risk: the artifact in service, or a counting one in tests."""

    @property
    def version(self) -> str:
        """The version of the model."""

    def estimate(self, snapshot: PatientSnapshot, policy: AssessmentPolicy) -> RiskEstimate | str:
        """Risk with its drivers, or a machine-readable reason why there is none."""


class Models(Protocol):
    """The models that answer one call, all of one moment."""

    @property
    def risk(self) -> Estimator:
        """The one that scores risk."""

    @property
    def state(self) -> StateEstimator | None:
        """The one that scores the five states, None where none is in force."""


class StateEstimator(Protocol):
    """What gives the five states their probabilities."""

    def estimate(self, snapshot: PatientSnapshot) -> StateEstimate | None:
        """The states with their probabilities, None for a patient the model says nothing of."""


# Why real patients get no risk while the version in force is one that made-up patients taught.
TAUGHT_BY_MADE_UP = "taught-by-made-up-patients"


@dataclass(frozen=True, slots=True)
class Withheld:
    """In the place of a risk model that says nothing of the patients of this call."""

    version: str

    def estimate(self, snapshot: PatientSnapshot, policy: AssessmentPolicy) -> RiskEstimate | str:
        """Always the reason why there is no risk."""
        return TAUGHT_BY_MADE_UP


# What each missing input would settle, most useful first: NEWS2 inputs by the points they can add (RCP 2017, chart 1),
# with the two that need no device ahead on a tie; then what the risk model reads besides. Chosen by us.
_MOST_HELPFUL = (
    "consciousness",
    "on_oxygen",
    "respiratory_rate",
    "spo2",
    "systolic_bp",
    "pulse",
    "temperature",
)


def assess(
    snapshot: PatientSnapshot,
    *,
    prediction_id: UUID,
    models: Models,
    policy: AssessmentPolicy,
    site_hash: str,
) -> Prediction:
    """NEWS2, risk, states and what would help most, of one snapshot by one version of each model."""
    turn()
    warning = early_warning(snapshot, spread_limit=policy.news2_spread)
    news2, news2_omitted = (None, warning) if isinstance(warning, str) else (warning, None)
    estimate = models.risk.estimate(snapshot, policy)
    risk, risk_omitted = (None, estimate) if isinstance(estimate, str) else (estimate, None)
    return Prediction(
        id=prediction_id,
        snapshot=snapshot,
        news2=news2,
        news2_omitted=news2_omitted,
        risk=risk,
        risk_omitted=risk_omitted,
        states=state_tags(snapshot=snapshot, news2=news2, risk=risk),
        would_help=_would_help(snapshot, warning),
        model_version=models.risk.version,
        site_hash=site_hash,
        state_model=None if models.state is None else models.state.estimate(snapshot),
    )


def _would_help(snapshot: PatientSnapshot, warning: EarlyWarning | str) -> tuple[str, ...]:
    if isinstance(warning, EarlyWarning):
        unknown = warning.unknown
        return tuple([name for name in _MOST_HELPFUL if name in unknown])
    if warning == "no-inputs":
        return _MOST_HELPFUL
    if snapshot.age_years is None:
        return ("age",)
    return ()
