"""Classes of one to twenty cases on real visits: does a prototype find more than what everybody would try first?

A class is a reason for the visit, told from age, sex, arrival, vital signs and number of chronic conditions. Half of
the classes are common, of the others only n cases are taught. Recall at k is the share of other visits of such a rare
class whose reason is among the k likeliest.
"""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from cds_service.domain.features import feature_matrix
from training.dataset import ADULT_YEARS, DATA_FILE, columns_from_survey
from training.fewshot import FewShotPrototypes
from training.resampling import interval

_DATA = Path(__file__).parents[2] / "shared" / "data" / "vitals"
CASES, LISTED = (1, 2, 5, 10, 20), 5
_CLASSES, _COMMON_CASES, _TESTED, _REPEATS = 40, 200, 40, 8

Rows, Names = NDArray[np.float32], NDArray[np.int64]


def _methods(fewest: int) -> dict[str, Callable[[], Any]]:
    """What is compared; SMOTE needs a neighbour, so a class of one case has none."""
    methods: dict[str, Callable[[], Any]] = {
        "logistic": lambda: LogisticRegression(max_iter=500),
        "class weights": lambda: LogisticRegression(max_iter=500, class_weight="balanced"),
        "prototypes": lambda: FewShotPrototypes(shrinkage=5.0),
    }
    if fewest > 1:
        methods["SMOTE"] = lambda: make_pipeline(
            SMOTE(k_neighbors=min(5, fewest - 1), random_state=0), LogisticRegression(max_iter=500)
        )
    return methods


def main() -> None:
    """One line for each number of cases: recall at five by method, and the paired difference of prototypes."""
    X, y = _visits()
    print(f"recall at {LISTED} of {_CLASSES} classes, rare classes only; 95 % over {_REPEATS} draws of cases")
    for fewest in CASES:
        methods = _methods(fewest)
        found = np.array([[_recall(make, X, y, fewest, seed) for make in methods.values()] for seed in range(_REPEATS)])
        told = "  ".join(f"{name} {recall:.3f}" for name, recall in zip(methods, found.mean(axis=0), strict=True))
        ours = list(methods).index("prototypes")
        rivals = np.delete(found, ours, axis=1)
        best = rivals[:, rivals.mean(axis=0).argmax()]
        gained = found[:, ours] - best
        low, high = interval(gained)
        print(f"{fewest:3d} cases: {told}  prototypes - best other {gained.mean():+.3f} ({low:+.3f} to {high:+.3f})")


def _visits() -> tuple[Rows, Names]:
    """Adults with one of the commonest reasons: features but the reason's own group, and the reason."""
    header, *lines = gzip.decompress((_DATA / DATA_FILE).read_bytes()).decode("ascii").splitlines()
    table = np.genfromtxt(lines, delimiter=",", dtype=np.float64)
    raw = dict(zip(header.split(","), table.T, strict=True))
    columns = columns_from_survey(raw)
    X = feature_matrix({**columns, "complaint_group": np.full(len(table), np.nan)})
    X = X[:, ~np.isnan(X).all(axis=0)]
    reasons, counts = np.unique(raw["rfv1"], return_counts=True)
    taken = (raw["age"] >= ADULT_YEARS) & np.isin(raw["rfv1"], reasons[np.argsort(-counts)[:_CLASSES]])
    return X[taken], raw["rfv1"][taken].astype(np.int64)


def _recall(make: Callable[[], Any], X: Rows, y: Names, fewest: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.unique(y))
    rare = classes[: _CLASSES // 2]
    taught, tested = [], []
    for name in classes:
        rows = rng.permutation(np.flatnonzero(y == name))
        taken = fewest if name in rare else _COMMON_CASES
        taught += rows[:taken].tolist()
        tested += rows[taken : taken + _TESTED].tolist() if name in rare else []
    prepared = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(X[taught])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make().fit(prepared.transform(X[taught]), y[taught])
    likeliest = np.argsort(-model.predict_proba(prepared.transform(X[tested])), axis=1)[:, :LISTED]
    return float((model.classes_[likeliest] == y[tested][:, None]).any(axis=1).mean())


if __name__ == "__main__":
    main()
