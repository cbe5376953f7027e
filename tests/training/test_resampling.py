"""Figures under weights, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from training.resampling import Ranking, interval, patient_draws


@st.composite
def _scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = draw(st.integers(4, 60))
    truth = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    truth[:2] = True, False
    score = np.array(draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)), dtype=float)
    weight = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), dtype=float)
    weight[:2] = 1.0
    return truth, score, weight


@given(_scored())
def test_weighted_figures_with_ties_are_scikit_learns(scored: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    truth, score, weight = scored
    ranking = Ranking(truth, score)
    assert ranking.auroc(weight) == pytest.approx(roc_auc_score(truth, score, sample_weight=weight))
    assert ranking.average_precision(weight) == pytest.approx(
        average_precision_score(truth, score, sample_weight=weight)
    )


@pytest.mark.parametrize("truth", [np.zeros(3, dtype=bool), np.ones(3, dtype=bool)])
def test_one_kind_alone_has_no_auroc(truth: np.ndarray) -> None:
    assert np.isnan(Ranking(truth, np.arange(3.0)).auroc(np.ones(3)))


def test_a_draw_takes_whole_patients() -> None:
    patient = np.array([7, 7, 3, 3, 3, 9])
    for weight in patient_draws(patient, np.ones(6), draws=50, seed=1):
        assert len(set(weight[patient == 7])) == len(set(weight[patient == 3])) == 1
        assert sum({number: weight[patient == number][0] for number in (3, 7, 9)}.values()) == 3


def test_the_interval_leaves_out_what_could_not_be_computed() -> None:
    assert interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    assert np.isnan(interval(np.array([np.nan]))).all()
