"""Figures from counts: how far they are from those of single rows, and what they say of too few."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from cds_service.domain import paired
from cds_service.monitoring import drift, intervals, latency
from cds_service.monitoring.calls import Calls, calls_from_bytes, sum_of_calls
from cds_service.monitoring.day_counts import PROBABILITY_BINS, Reports, Visits, probability_bin, total


def test_wilsons_interval_is_the_published_one() -> None:
    found = intervals.share(81, 263)  # Newcombe 1998, table I: 0.2553 to 0.3662

    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)


def test_too_few_give_no_figure() -> None:
    assert intervals.share(9, 9) is None
    assert intervals.auroc([9.0, 0.0], [0.0, 100.0]) is None


def test_an_auroc_from_bins_is_that_of_the_rows_to_half_a_hundredth() -> None:
    rng = np.random.default_rng(7)
    truth = rng.random(5000) < 0.05
    scores = 1 / (1 + np.exp(-(rng.normal(-4, 1.2, 5000) + 2 * truth)))
    bins = np.array([probability_bin(log(p / (1 - p))) for p in scores])
    counts = [np.bincount(bins[truth == kind], minlength=PROBABILITY_BINS).tolist() for kind in (False, True)]

    found = intervals.auroc(*counts)

    assert found is not None
    assert found.value == pytest.approx(paired.auroc(scores, truth), abs=0.005)
    assert found.low < found.value < found.high


def test_the_hanley_mcneil_interval_is_that_of_their_formula() -> None:
    found = intervals.auroc([40.0, 0.0, 20.0], [10.0, 0.0, 40.0])

    assert found is not None
    assert found.value == pytest.approx((10 * 20 + 40 * 40 + 40 * 10) / 3000)
    assert found.high - found.value == pytest.approx(0.0957, abs=0.002)


def test_a_quantile_is_within_a_bucket_of_the_true_one() -> None:
    rng = np.random.default_rng(3)
    seconds = rng.lognormal(-4, 0.8, 20_000)
    counts = np.bincount([latency.bucket(one) for one in seconds], minlength=len(latency.EDGES_S) + 1).tolist()

    for share in (0.5, 0.99):
        assert latency.quantile(counts, share) == pytest.approx(float(np.quantile(seconds, share)), rel=0.12)
    assert latency.quantile([0] * 46, 0.5) is None


REFERENCE = drift.Reference(edges=(60.0, 80.0), counts=(300, 400, 300), missing_share=0.1)


def test_the_same_shares_are_no_shift_and_another_population_is() -> None:
    same = drift.shift(REFERENCE, [[300, 400, 300, 111]])
    other = drift.shift(REFERENCE, [[30, 70, 900, 111]])

    assert same.index == pytest.approx(0, abs=1e-3)
    assert other.index is not None
    assert other.index > drift.MAJOR


def test_one_odd_day_is_no_drift_and_three_of_five_are() -> None:
    usual, odd = [60, 80, 60, 20], [5, 15, 180, 20]

    assert not drift.shift(REFERENCE, [usual, usual, usual, usual, odd]).is_drift
    assert drift.shift(REFERENCE, [usual, odd, usual, odd, odd]).is_drift


def test_days_of_few_values_are_put_together_and_too_few_say_nothing() -> None:
    few = [12, 16, 12, 4]

    assert drift.shift(REFERENCE, [few] * 4) == drift.Shift(None, (), 176)
    assert len(drift.shift(REFERENCE, [few] * 11).windows) == 2


def test_an_input_that_falls_silent_is_a_shift() -> None:
    assert drift.shift(REFERENCE, [[0, 0, 0, 250]] * 3).is_drift


def test_days_add_up() -> None:
    one = Visits(predictions=1, bands={"low": 1}, inputs={"1.0.0": {"spo2": [1, 0]}}, cards={"a": {"info": 1}})
    other = Visits(predictions=2, bands={"low": 1, "high": 1}, inputs={"1.0.0": {"spo2": [0, 2], "age": [1]}})

    both = total(Visits, [one, other])

    assert (both.predictions, both.bands, both.cards) == (3, {"low": 2, "high": 1}, {"a": {"info": 1}})
    assert both.inputs == {"1.0.0": {"spo2": [1, 2], "age": [1]}}
    assert total(Reports, []) == Reports()
    assert one.bands == {"low": 1}


def test_calls_are_stored_whole_again_and_only_when_new() -> None:
    calls = Calls()
    calls.note("north", "production", "/predict", 200, 0.02)
    [(key, _)] = calls.changed().items()
    calls.note("north", "production", "/predict", 503, 1.5)
    [again] = calls.changed().values()

    assert calls.changed() == {}
    assert calls_from_bytes(again)["/predict"].statuses == {"200": 1, "503": 1}
    calls.keep([key])
    assert list(calls.changed()) == [key]


def test_calls_of_processes_add_up() -> None:
    found = []
    for status in (200, 404):
        calls = Calls()
        calls.note("north", "production", "/predict", status, 0.02)
        found += [calls_from_bytes(content) for content in calls.changed().values()]

    both = sum_of_calls(found)["/predict"]
    assert both.statuses == {"200": 1, "404": 1}
    assert sum(both.seconds) == 2
