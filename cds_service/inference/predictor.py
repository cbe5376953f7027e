"""The risk model in service: one verified artifact of three tiers, scored by ONNX Runtime, explained from tables."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, isnan
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from cds_service.domain.complaints import COMPLAINT_GROUPS
from cds_service.domain.features import FEATURES, FEATURES_VERSION, Matrix, columns_from_snapshots, feature_matrix
from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.policy import AssessmentPolicy
from cds_service.domain.prediction import Driver, RiskEstimate
from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import Artifact, open_artifact
from cds_service.inference.explain import ShapTable, shap_table_from_arrays

ADULT_YEARS = 18
EMERGENCY = "EMER"
PARITY = 1e-4

# A tier answers when any input that only it has is known; the last answers always (docs/decisions/tiers-of-inputs.md).
TIERS: Mapping[str, tuple[str, ...]] = {
    "full": FEATURES,
    "vitals-8": FEATURES[:8],
    "vitals-6": FEATURES[:6],
}
_AGE, _SEX = FEATURES.index("age"), FEATURES.index("sex")
_COMPLAINT = FEATURES.index("complaint_group")
_VITALS = slice(2, 8)


@dataclass(frozen=True, slots=True)
class Tier:
    """One model: its columns, ONNX session, SHAP table and calibration (slope and intercept on the margin)."""

    name: str
    n_columns: int
    session: ort.InferenceSession
    shap: ShapTable
    slope: float
    intercept: float

    def margins(self, matrix: Matrix) -> NDArray[np.float32]:
        """Raw log-odds of each row, shape (n,)."""
        inputs = {"x": np.ascontiguousarray(matrix[:, : self.n_columns])}
        margins: NDArray[np.float32] = self.session.run(["margin"], inputs)[0][:, 0]
        return margins


class Predictor:
    """Scores patients with one version of the risk model."""

    def __init__(self, artifact: Artifact) -> None:
        _require_same_features(artifact)
        self.version: str = artifact.manifest["version"]
        self.base_rate: float = artifact.manifest["base_rate"]
        self.card_path: Path = artifact.directory / "card.md"
        self.tiers = _tiers(artifact)
        self._check_golden_rows(artifact)

    def estimate(self, snapshot: PatientSnapshot, policy: AssessmentPolicy) -> RiskEstimate | str:
        """Risk with its drivers, or why there is none.

        `age-unknown`, `under-18`, `encounter-class-unknown`, `not-emergency` or `no-vitals`.
        """
        reason = _unsuitable(snapshot)
        if reason is not None:
            return reason
        matrix = feature_matrix(columns_from_snapshots((snapshot,)))
        row = matrix[0].tolist()
        if all(isnan(value) for value in row[_VITALS]):
            return "no-vitals"
        tier = self.tiers[_tier_of(row)]
        margin = float(tier.margins(matrix)[0])
        probability = 1.0 / (1.0 + exp(-(tier.slope * margin + tier.intercept)))
        return RiskEstimate(
            probability=probability,
            band=_band(probability, policy),
            tier=tier.name,
            base_rate=self.base_rate,
            margin=margin,
            drivers=_drivers(row, tier.shap.contributions(matrix[0, : tier.n_columns]).tolist()),
        )

    def score(self, matrix: Matrix) -> NDArray[np.float64]:
        """Calibrated probabilities of the rows of a feature matrix, each by the tier its known inputs allow."""
        probabilities = np.empty(len(matrix))
        chosen = tier_of_rows(matrix)
        for name, tier in self.tiers.items():
            rows = chosen == name
            if rows.any():
                logits = tier.slope * tier.margins(matrix[rows]).astype(np.float64) + tier.intercept
                probabilities[rows] = 1.0 / (1.0 + np.exp(-logits))
        return probabilities

    def _check_golden_rows(self, artifact: Artifact) -> None:
        """Refuse an artifact that does not give the margins it gave when it was published."""
        golden = artifact.json("golden.json")
        matrix = np.array(golden["rows"], dtype=np.float32)
        for name, tier in self.tiers.items():
            rows = matrix[:, : tier.n_columns]
            tables = [float(tier.shap.contributions(row).sum()) + tier.shap.bias for row in rows]
            for found in (tier.margins(matrix), np.array(tables)):
                if not np.allclose(found, golden["margins"][name], rtol=0, atol=PARITY):
                    raise ConfigurationError(
                        f"tier {name} does not give its golden margins", where=str(artifact.directory)
                    )


def load_predictor(models_dir: Path, task: str = "risk", version: str | None = None) -> Predictor:
    """The predictor of a published version, `CURRENT` by default; ConfigurationError when anything in it is wrong."""
    artifact = open_artifact(models_dir, task, version)
    try:
        return Predictor(artifact)
    except (KeyError, TypeError, ValueError, IndexError) as problem:
        raise ConfigurationError(
            f"does not hold what a {task} model must: {problem}", where=str(artifact.directory)
        ) from problem


def tier_of_rows(matrix: Matrix) -> NDArray[np.str_]:
    """The tier each row is scored by, shape (n,)."""
    known = ~np.isnan(matrix)
    return np.where(known[:, 8:].any(axis=1), "full", np.where(known[:, 6:8].any(axis=1), "vitals-8", "vitals-6"))


def _tier_of(row: list[float]) -> str:
    if not all(isnan(value) for value in row[8:]):
        return "full"
    return "vitals-6" if isnan(row[6]) and isnan(row[7]) else "vitals-8"


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
    order = sorted(range(len(contributions)), key=lambda index: -abs(contributions[index]))
    return tuple(Driver(FEATURES[index], _shown(index, row[index]), contributions[index]) for index in order)


def _shown(index: int, value: float) -> float | str | None:
    if isnan(value):
        return None
    if index == _SEX:
        return "male" if value else "female"
    return COMPLAINT_GROUPS[int(value)] if index == _COMPLAINT else round(value, 4)


def _require_same_features(artifact: Artifact) -> None:
    manifest = artifact.manifest
    ours = (FEATURES_VERSION, list(FEATURES), list(COMPLAINT_GROUPS))
    if (manifest["features_version"], manifest["features"], manifest["complaint_groups"]) != ours:
        raise ConfigurationError(
            "was trained on other features than this service computes", where=str(artifact.directory)
        )


def _tiers(artifact: Artifact) -> Mapping[str, Tier]:
    calibration = artifact.json("calibration.json")
    arrays = _arrays(artifact)
    return {
        name: Tier(
            name=name,
            n_columns=len(columns),
            session=_session(artifact, f"{name}.onnx", len(columns)),
            shap=shap_table_from_arrays(arrays, name),
            slope=float(calibration[name]["slope"]),
            intercept=float(calibration[name]["intercept"]),
        )
        for name, columns in TIERS.items()
    }


def _arrays(artifact: Artifact) -> Mapping[str, NDArray[Any]]:
    """The arrays of `shap.npz`; objects (pickles) are never loaded."""
    try:
        with np.load(io.BytesIO(artifact.files["shap.npz"]), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, ValueError, OSError) as problem:
        raise ConfigurationError("is not a plain array archive", where=f"{artifact.directory}/shap.npz") from problem


def _session(artifact: Artifact, name: str, n_columns: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(artifact.files[name], options, providers=["CPUExecutionProvider"])
    except Exception as problem:  # onnxruntime raises bare subclasses of Exception of its C extension
        raise ConfigurationError(
            "is not a graph ONNX Runtime can run", where=f"{artifact.directory}/{name}"
        ) from problem
    if [i.shape[-1] for i in session.get_inputs()] != [n_columns]:
        raise ConfigurationError(f"does not take {n_columns} columns", where=f"{artifact.directory}/{name}")
    return session
