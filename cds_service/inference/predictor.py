"""The risk model in service: one verified artifact of three tiers, scored and explained from the same tables."""

from __future__ import annotations

from functools import cached_property
from math import exp, isfinite, isnan
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from cds_service.domain.complaints import COMPLAINT_GROUPS
from cds_service.domain.features import FEATURES, FEATURES_VERSION, Matrix, matrix_from_snapshots
from cds_service.domain.likeness import Spread, spread_from_histograms
from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.policy import AssessmentPolicy
from cds_service.domain.prediction import POPULATIONS, Driver, RiskEstimate
from cds_service.errors import ConfigurationError, Unavailable
from cds_service.inference.artifact import Artifact, open_artifact
from cds_service.inference.tiers import load_tiers, tier_of_row, tier_of_rows

ADULT_YEARS = 18
EMERGENCY = "EMER"
# Histograms of the training data.
REFERENCE_FILE = "reference.json"
# Golden margins may differ by this much of log-odds between processors; a wrong graph differs by far more.
GOLDEN_TOLERANCE = 1e-4

_SEX = FEATURES.index("sex")
_COMPLAINT = FEATURES.index("complaint_group")
_VITALS = slice(2, 8)


class Predictor:
    """Scores patients with one version of the risk model."""

    def __init__(self, artifact: Artifact) -> None:
        _require_same_features(artifact)
        self.version: str = artifact.manifest["version"]
        self.digest: str = artifact.manifest["digest"]
        self.synthetic: bool = artifact.manifest.get("synthetic", False)
        self.population = _population(artifact)
        self.base_rate: float = artifact.manifest["base_rate"]
        self.card_path: Path = artifact.directory / "card.md"
        self._histograms = artifact.files.get(REFERENCE_FILE)
        self.tiers = load_tiers(artifact)
        self._check_golden_rows(artifact)

    @cached_property
    def spread(self) -> Spread:
        """The spread of the training data; Unavailable of a version that does not tell it, as while it is made."""
        if self._histograms is None:
            raise Unavailable("this version does not say what it was fitted on", where="model")
        return spread_from_histograms(msgspec.json.decode(self._histograms))

    def estimate(self, snapshot: PatientSnapshot, policy: AssessmentPolicy) -> RiskEstimate | str:
        """Risk with its drivers, or why there is none.

        `age-unknown`, `under-18`, `encounter-class-unknown`, `not-emergency` or `no-vitals`. Raises Unavailable
        when the model fails: a patient is never called well by a model that did not answer.
        """
        reason = _unsuitable(snapshot)
        if reason is not None:
            return reason
        matrix = matrix_from_snapshots((snapshot,))
        row = matrix[0].tolist()
        if all(map(isnan, row[_VITALS])):
            return "no-vitals"
        tier = self.tiers[tier_of_row(row)]
        try:
            contributions = tier.shap.contributions(matrix[0, : tier.n_columns])
        except (IndexError, ValueError) as problem:  # a table that does not fit its splits
            raise Unavailable(f"the model failed: {type(problem).__name__}", where="model") from problem
        margin = tier.shap.margin(contributions)
        if not isfinite(margin):
            raise Unavailable("the risk model gave no number", where="model")
        probability = 1.0 / (1.0 + exp(-(tier.slope * margin + tier.intercept)))
        return RiskEstimate(
            probability=probability,
            band=_band(probability, policy),
            tier=tier.name,
            base_rate=self.base_rate,
            margin=margin,
            drivers=_drivers(row, contributions.tolist()),
            population=self.population,
        )

    def score(self, matrix: Matrix) -> NDArray[np.float64]:
        """Calibrated probabilities of the rows of a feature matrix, each by the tier its known inputs allow."""
        probabilities = np.empty(len(matrix))
        chosen = tier_of_rows(matrix)
        for name, tier in self.tiers.items():
            rows = chosen == name
            if rows.any():
                logits = tier.slope * tier.margins(matrix[rows]) + tier.intercept
                probabilities[rows] = 1.0 / (1.0 + np.exp(-logits))
        return probabilities

    def _check_golden_rows(self, artifact: Artifact) -> None:
        """Refuse an artifact that does not give the margins it gave when it was published."""
        golden = artifact.json("golden.json")
        matrix = np.array(golden["rows"], dtype=np.float32)
        for name, tier in self.tiers.items():
            if not np.allclose(tier.margins(matrix), golden["margins"][name], rtol=0, atol=GOLDEN_TOLERANCE):
                raise ConfigurationError(f"tier {name} does not give its golden margins", where=str(artifact.directory))


def load_predictor(models_dir: Path, task: str = "risk", version: str | None = None) -> Predictor:
    """The predictor of a published version, `CURRENT` by default; ConfigurationError when anything in it is wrong."""
    artifact = open_artifact(models_dir, task, version)
    try:
        return Predictor(artifact)
    except (KeyError, TypeError, ValueError, IndexError) as problem:
        raise ConfigurationError(
            f"does not hold what a {task} model must: {problem}", where=str(artifact.directory)
        ) from problem


def _unsuitable(snapshot: PatientSnapshot) -> str | None:
    if snapshot.age_years is None:
        return "age-unknown"
    if snapshot.age_years < ADULT_YEARS:
        return "under-18"
    if snapshot.encounter_class is None:
        return "encounter-class-unknown"
    return None if snapshot.encounter_class == EMERGENCY else "not-emergency"


def _band(probability: float, policy: AssessmentPolicy) -> str:
    if probability >= policy.high:
        return "high"
    return "moderate" if probability >= policy.moderate else "low"


def _drivers(row: list[float], contributions: list[float]) -> tuple[Driver, ...]:
    """The tier's inputs with their contributions, largest first; equal ones in the order of FEATURES."""
    sizes = list(map(abs, contributions))
    order = sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True)
    return tuple([Driver(FEATURES[index], _shown(index, row[index]), contributions[index]) for index in order])


def _shown(index: int, value: float) -> float | str | None:
    if isnan(value):
        return None
    if index == _SEX:
        return "male" if value else "female"
    if index == _COMPLAINT:
        return COMPLAINT_GROUPS[int(value)]
    return value if value.is_integer() else round(value, 4)


def _population(artifact: Artifact) -> str:
    """Who taught the model. Artifacts that do not say were made when there was only the survey."""
    found: str = "invented" if artifact.manifest.get("synthetic") else artifact.manifest.get("population", "survey")
    if found not in POPULATIONS:
        raise ValueError(f"the population {found!r} is none of {', '.join(POPULATIONS)}")
    return found


def _require_same_features(artifact: Artifact) -> None:
    manifest = artifact.manifest
    ours = (FEATURES_VERSION, list(FEATURES), list(COMPLAINT_GROUPS))
    if (manifest["features_version"], manifest["features"], manifest["complaint_groups"]) != ours:
        raise ConfigurationError(
            "was trained on other features than this service computes", where=str(artifact.directory)
        )
