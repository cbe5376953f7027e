"""Who teaches, who calibrates and who tests are different patients; what must not be pooled is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cds_service.errors import ConfigurationError
from tests.training.labelled import features, order, quick_params, state_columns, write_dataset
from training.compare import run
from training.exported import read_exported
from training.groups import bias_record
from training.params import read_params
from training.partition import Parts, partition, refuse_shared_patients, require_classes
from training.sources import refuse_pooled_sources
from training.task import TASKS

STATE = TASKS["state"]
SPLIT = read_params()["compare"]["split"]
SOURCES = read_params()["compare"]["sources"]


def a_dataset(directory: Path, **changed: np.ndarray):
    return read_exported(write_dataset(directory, state_columns() | changed), STATE)


@pytest.mark.parametrize("mode", ["by-time", "by-time-in-classes"])
def test_patients_with_several_visits_stand_in_one_part(tmp_path, mode):
    n = len(state_columns()["age"])
    data = a_dataset(tmp_path, patient=np.array([f"p{i % (n // 3)}" for i in range(n)]))

    parts = partition(data, SPLIT, mode=mode)

    patients = [set(part.patient.tolist()) for part in parts]
    assert sum(map(len, patients)) == len(set().union(*patients)) == n // 3
    shares = [len(part.y) / n for part in parts]
    assert shares == pytest.approx([0.70, 0.075, 0.075, 0.15], abs=0.04)


def test_the_last_are_tested_and_the_first_taught(tmp_path):
    parts = partition(a_dataset(tmp_path), SPLIT, mode="by-time")

    assert parts.fit.order.max() < parts.calibration.order.min()
    assert max(parts.calibration.order.max(), parts.conformal.order.max()) < parts.test.order.min()


def test_every_class_is_in_every_part_when_split_within_classes(tmp_path):
    parts = partition(a_dataset(tmp_path), SPLIT, mode="by-time-in-classes")

    assert all(set(part.y.tolist()) == set(range(5)) for part in parts)


def test_patients_kept_from_training_are_only_tested(tmp_path):
    held = np.random.default_rng(3).random(len(state_columns()["age"])) < 0.05
    data = a_dataset(tmp_path, holdout=held)

    parts = partition(data, SPLIT, mode="by-time-in-classes")

    assert parts.test.holdout.sum() == held.sum()
    assert not any(part.holdout.any() for part in (parts.fit, parts.calibration, parts.conformal))


def test_who_had_seen_the_card_and_agreed_with_it_is_kept_with_their_weights(tmp_path):
    n = len(state_columns()["age"])
    third, weight = np.arange(n) % 3, np.where(np.arange(n) % 3 == 1, 0.25, 1.0)
    agreed = np.where(third == 1, True, None)
    data = a_dataset(
        tmp_path, shown=third > 0, saw_prediction=np.array(["yes", "yes", "no"])[third], agreed=agreed, weight=weight
    )

    found = bias_record(data)

    assert {name: (one["rows"], one["agreed"]) for name, one in found["sight"].items()} == {
        "not shown": ((third == 0).sum(), None),
        "seen": ((third == 1).sum(), 1.0),
        "not seen": ((third == 2).sum(), None),
    }
    assert found["sight"]["seen"]["weight"] == {"mean": 0.25, "low": 0.25, "high": 0.25}
    assert found["holdout"] == {"rows": 0, "patients": 0}


def test_a_shared_patient_is_refused(tmp_path):
    parts = partition(a_dataset(tmp_path), SPLIT, mode="by-time")
    leaking = replace(parts.test, patient=parts.fit.patient[: len(parts.test.y)])

    with pytest.raises(ConfigurationError, match="more than one part"):
        refuse_shared_patients(Parts(parts.fit, parts.calibration, parts.conformal, leaking))


@pytest.mark.parametrize(("count", "says"), [(0, "terminal has no patient"), (6, "6 of at least 10 patients")])
def test_a_class_that_is_absent_or_too_small_is_named(tmp_path, count, says):
    columns = state_columns()
    terminal = np.flatnonzero(columns["category"] == "terminal")
    kept = np.setdiff1d(np.arange(len(columns["age"])), terminal[count:])
    data = read_exported(write_dataset(tmp_path, {name: column[kept] for name, column in columns.items()}), STATE)

    with pytest.raises(ConfigurationError, match=says):
        require_classes(data, STATE, 10)


def test_sources_that_can_be_told_apart_are_refused(tmp_path):
    n = len(state_columns()["age"])
    site = np.where(np.arange(n) % 2 == 0, "a", "b")
    other = {
        name: np.where(site == "b", column + 40 * (name == "age"), column)
        for name, column in features(np.zeros(n)).items()
    }
    pooled = a_dataset(tmp_path, site=site, **other)

    with pytest.raises(ConfigurationError, match="told apart"):
        refuse_pooled_sources(pooled, SOURCES)


def test_sites_that_see_the_same_patients_may_be_pooled(tmp_path):
    site = np.where(np.random.default_rng(1).random(len(state_columns()["age"])) < 0.5, "a", "b")

    found = refuse_pooled_sources(a_dataset(tmp_path, site=site), SOURCES)

    assert found is not None
    assert found < 0.65


def test_made_up_rows_among_real_ones_are_refused(tmp_path):
    mixed = np.arange(len(state_columns()["age"])) % 2 == 0

    with pytest.raises(ConfigurationError, match="never learn from both"):
        a_dataset(tmp_path, synthetic=mixed)


def test_a_changed_dataset_is_refused(tmp_path):
    directory = write_dataset(tmp_path, state_columns())
    write_dataset(tmp_path / "other", state_columns(seed=1))
    (directory / "rows.parquet").write_bytes((tmp_path / "other" / "rows.parquet").read_bytes())

    with pytest.raises(ConfigurationError, match="changed after the export"):
        read_exported(directory, STATE)


def test_a_directory_without_labels_cannot_teach_states(tmp_path):
    with pytest.raises(ConfigurationError, match="no dataset of labels"):
        run(order(tmp_path, tmp_path / "models" / "state" / "1.0.0"), quick_params(), lambda text: None)
