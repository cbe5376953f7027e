"""How alike patients are, and how strange one is: in the spread of the training data."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cds_service.domain.features import FEATURES
from cds_service.domain.likeness import (
    Spread,
    age_band,
    apart,
    distances,
    likeness,
    most_different,
    novelty,
    spread_from_histograms,
)

WIDTH = 10.0
SPREAD = spread_from_histograms({name: {"edges": [50.0, 55.0, 60.0]} for name in FEATURES})


def a_row(**changes: float) -> NDArray[np.float64]:
    return np.array([[changes.get(name, 55.0) for name in FEATURES]])


def test_the_same_patient_is_not_apart_and_very_alike() -> None:
    found = distances(apart(a_row()[0], a_row(), SPREAD))
    assert found.tolist() == [0.0]
    assert likeness(0.0) == "very-alike"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("age", 60.0, 0.5), ("age", 500.0, 1.0), ("sex", 0.0, 1.0), ("complaint_group", 54.0, 1.0), ("spo2", np.nan, 0.5)],
)
def test_one_input_is_apart_by_its_spread_a_kind_wholly_and_an_unknown_one_by_half(
    name: str, value: float, expected: float
) -> None:
    parts = apart(a_row()[0], a_row(**{name: value}), SPREAD)
    assert parts[0, FEATURES.index(name)] == expected
    assert distances(parts)[0] == pytest.approx(expected / len(FEATURES))
    assert most_different(parts[0]) == (name,)


def test_what_neither_is_known_of_does_not_count() -> None:
    nobody = a_row(**dict.fromkeys(FEATURES, np.nan))
    assert distances(apart(nobody[0], nobody, SPREAD)).tolist() == [1.0]
    half = dict.fromkeys(FEATURES[:5], np.nan)
    assert distances(apart(a_row(**half)[0], a_row(**half), SPREAD)).tolist() == [0.0]


def test_only_a_quantity_outside_the_middle_of_the_training_data_is_strange() -> None:
    rows = np.vstack([a_row(), a_row(age=70.0), a_row(age=40.0, spo2=30.0), a_row(sex=99.0), a_row(age=np.nan)])
    assert novelty(rows, SPREAD).tolist() == [0.0, 1.0, 3.0, 0.0, 0.0]


def test_an_input_that_does_not_vary_is_measured_by_its_unit() -> None:
    flat = Spread(np.full(len(FEATURES), 5.0), np.full(len(FEATURES), 5.0))
    assert flat.width.tolist() == [1.0] * len(FEATURES)


@pytest.mark.parametrize(
    ("age", "band"),
    [(None, None), (0.4, (0, 9)), (59.9, (50, 59)), (60, (60, 69)), (90, (90, None)), (104, (90, None))],
)
def test_an_age_is_told_in_tens_and_from_90_on_as_one(age: float | None, band: object) -> None:
    assert age_band(age) == band
