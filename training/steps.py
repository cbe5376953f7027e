"""Optional columns and projections, learned inside folds only: what `params.toml` may list as a feature step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from cds_service.domain.features import FEATURES, Matrix
from training.scores import Labels

N_COMPONENTS = 4
"""Directions PCA keeps: chosen by us, about half of the vitals' number."""

# Lower bounds of elevated, stage 1 and stage 2, systolic and diastolic (mm[Hg]); elevated is systolic only.
# Source: Whelton 2018, 2017 ACC/AHA guideline, table 6; over 180 or over 120 is its hypertensive crisis.
_SYSTOLIC_STAGES = (120, 130, 140, 181)
_DIASTOLIC_STAGES = (80, 80, 90, 121)


def _column(X: Matrix, name: str) -> Matrix:
    column: Matrix = X[:, FEATURES.index(name)]
    return column


def aha_category(X: Matrix) -> Matrix:
    """Blood-pressure category 0 (normal) to 4 (crisis), the higher of the two pressures' own; NaN without both."""
    systolic, diastolic = _column(X, "systolic_bp"), _column(X, "diastolic_bp")
    by_systolic = np.searchsorted(_SYSTOLIC_STAGES, systolic, side="right")
    stage_1 = np.searchsorted(_DIASTOLIC_STAGES, diastolic, side="right")
    category = np.maximum(by_systolic, stage_1).astype(np.float32)
    return np.where(np.isnan(systolic + diastolic), np.nan, category).astype(np.float32)


def pulse_pressure(X: Matrix) -> Matrix:
    """Systolic minus diastolic pressure, mm[Hg]."""
    difference: Matrix = _column(X, "systolic_bp") - _column(X, "diastolic_bp")
    return difference


def mean_arterial_pressure(X: Matrix) -> Matrix:
    """Diastolic pressure and a third of the pulse pressure, mm[Hg]."""
    return (_column(X, "diastolic_bp") + pulse_pressure(X) / 3).astype(np.float32)


def shock_index(X: Matrix) -> Matrix:
    """Heart rate over systolic pressure (Allgoewer and Burri 1967)."""
    return _column(X, "heart_rate") / _column(X, "systolic_bp")


def log_vitals(X: Matrix) -> Matrix:
    """Natural logarithms of heart rate, breathing rate and systolic pressure, whose upper tails are long."""
    return np.log(X[:, [FEATURES.index(name) for name in ("heart_rate", "respiratory_rate", "systolic_bp")]])


DERIVED: Mapping[str, tuple[Callable[[Matrix], Matrix], ...]] = {
    "pressures": (aha_category, pulse_pressure, mean_arterial_pressure),
    "shock-index": (shock_index,),
    "logs": (log_vitals,),
}


def imputed_and_scaled() -> Pipeline:
    """Medians and indicators for what is missing, then unit variance; a column nobody has is kept as zeros."""
    return make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )


class FeatureSteps(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Appends the columns of the named steps to the inputs."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self.names = names

    def fit(self, X: Matrix, y: Labels) -> FeatureSteps:
        """Learn the projections among the steps; the rest needs no learning."""
        projections = {"pca": PCA(N_COMPONENTS, random_state=0), "lda": LinearDiscriminantAnalysis()}
        self.fitted_: list[Any] = []
        for name in self.names:
            step = (
                make_pipeline(imputed_and_scaled(), projections[name])
                if name in projections
                else FunctionTransformer(_derived(name))
            )
            self.fitted_.append(step.fit(X, y))
        return self

    def transform(self, X: Matrix) -> Matrix:
        """The inputs and the steps' columns, float32."""
        return np.hstack([X, *(step.transform(X) for step in self.fitted_)]).astype(np.float32)


def _derived(name: str) -> Callable[[Matrix], Matrix]:
    def columns(X: Matrix) -> Matrix:
        return np.column_stack([function(X) for function in DERIVED[name]])

    return columns
