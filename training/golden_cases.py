"""Made-up patients whose order is beyond doubt: a model that orders them otherwise learned something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np

from cds_service.domain.features import FEATURES, Matrix
from training.resampling import Floats

Score = Callable[[Matrix], Floats]

# A healthy adult at rest: every vital sign scores 0 in NEWS2 (Royal College of Physicians 2017, chart 1).
_WELL = {
    "heart_rate": 72.0,
    "temperature": 36.8,
    "systolic_bp": 122.0,
    "diastolic_bp": 76.0,
    "respiratory_rate": 15.0,
    "spo2": 98.0,
}
# Several signs that each score 2 or 3 in NEWS2: 7 points and more, the threshold of an emergency assessment.
_SICK: Mapping[str, Mapping[str, float]] = {
    "septic-shock": {
        "heart_rate": 134.0,
        "temperature": 39.4,
        "systolic_bp": 82.0,
        "diastolic_bp": 44.0,
        "respiratory_rate": 30.0,
        "spo2": 90.0,
    },
    "respiratory-failure": {"heart_rate": 122.0, "respiratory_rate": 36.0, "spo2": 82.0},
    "cold-shock": {
        "heart_rate": 138.0,
        "temperature": 34.2,
        "systolic_bp": 74.0,
        "diastolic_bp": 40.0,
        "respiratory_rate": 28.0,
        "spo2": 91.0,
    },
}
_AGES = (40.0, 60.0, 80.0)
_SEXES = (0.0, 1.0)
# For each task the classes that must be likelier in the sick patient (1) or in the well one (-1).
_LIKELIER: Mapping[str, Sequence[tuple[str, int]]] = {
    "risk": (("icu", 1),),
    "state": (("acute", 1), ("not-ill", -1)),
}


def golden_failures(task: str, score: Score, classes: Sequence[str]) -> tuple[str, ...]:
    """Which patients the model orders wrongly; `score` maps (n, n_features) to (n, len(classes)) probabilities."""
    failures = []
    for (name, signs), age, sex in product(_SICK.items(), _AGES, _SEXES):
        well, sick = score(np.array([_row(age, sex, _WELL), _row(age, sex, {**_WELL, **signs})], dtype=np.float32))
        rise = dict(zip(classes, (sick - well).tolist(), strict=True))
        failures += [
            f"{name}, {'male' if sex else 'female'}, {age:.0f} years: {likelier}"
            for likelier, direction in _LIKELIER[task]
            if rise[likelier] * direction <= 0
        ]
    return tuple(failures)


def _row(age: float, sex: float, signs: Mapping[str, float]) -> list[float]:
    values = {"age": age, "sex": sex, **signs}
    return [values.get(name, np.nan) for name in FEATURES]
