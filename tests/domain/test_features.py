"""One definition of the model's columns: a patient is a batch of one, absent is NaN."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from cds_service.domain.complaints import COMPLAINT_GROUPS
from cds_service.domain.features import FEATURES, columns_from_snapshots, feature_matrix, matrix_from_snapshots
from cds_service.domain.patient import Identity, PatientSnapshot, Reading

NOW = datetime(2026, 3, 14, 8, 40, tzinfo=timezone(timedelta(hours=-5)))


def a_snapshot(vitals: dict[str, object], **record: object) -> PatientSnapshot:
    readings = {name: Reading(name, value, NOW, "test", str(value)) for name, value in vitals.items()}
    return PatientSnapshot(at=NOW, identity=Identity("p"), readings=readings, **record)


def row_of(snapshot: PatientSnapshot) -> dict[str, float]:
    return dict(zip(FEATURES, feature_matrix(columns_from_snapshots([snapshot]))[0].tolist(), strict=True))


FULL = a_snapshot(
    {
        "heart_rate": 101.0,
        "pulse_rate": 99.0,
        "temperature": 38.25,
        "systolic_bp": 118.0,
        "diastolic_bp": 71.0,
        "respiratory_rate": 22.0,
        "spo2": 93.0,
    },
    age_years=64.99,
    sex="male",
    arrived_by_ambulance=True,
    complaint_group=COMPLAINT_GROUPS[3],
    chronic_count=0,
)


def test_every_input_has_its_column():
    expected = (64, 1, 101, 38.25, 118, 71, 22, 93, 1, 3, 0)

    assert tuple(row_of(FULL).values()) == expected


def test_the_matrix_made_in_one_step_is_the_same_to_the_last_bit():
    snapshots = [FULL, a_snapshot({}), a_snapshot({"temperature": 36.55555555555556}, age_years=41.7)]

    in_one_step = matrix_from_snapshots(snapshots)

    assert in_one_step.dtype == np.float32
    np.testing.assert_array_equal(in_one_step, feature_matrix(columns_from_snapshots(snapshots)))
    assert matrix_from_snapshots([]).shape == (0, len(FEATURES))


def test_nothing_known_is_missing_everywhere():
    row = row_of(a_snapshot({}))

    assert np.isnan(list(row.values())).all()


def test_age_counts_completed_years_as_the_training_data_do():
    assert row_of(a_snapshot({}, age_years=18.999))["age"] == 18


def test_ecg_heart_rate_comes_before_a_pulse():
    assert row_of(a_snapshot({"heart_rate": 80.0, "pulse_rate": 60.0}))["heart_rate"] == 80


def test_a_pulse_stands_in_for_a_heart_rate():
    assert row_of(a_snapshot({"pulse_rate": 60.0}))["heart_rate"] == 60


@pytest.mark.parametrize(("known", "expected"), [(0, 0.0), (None, np.nan), (4, 4.0)])
def test_no_conditions_read_is_not_zero(known, expected):
    assert row_of(a_snapshot({}, chronic_count=known))["chronic_count"] == pytest.approx(expected, nan_ok=True)


def test_one_patient_is_a_row_of_any_batch():
    batch = [FULL, a_snapshot({"spo2": 88.0}, sex="female"), a_snapshot({})]

    together = feature_matrix(columns_from_snapshots(batch))
    alone = np.vstack([feature_matrix(columns_from_snapshots([snapshot])) for snapshot in batch])

    assert together.dtype == np.float32
    np.testing.assert_array_equal(together, alone)


def test_no_patients_is_an_empty_matrix():
    assert feature_matrix(columns_from_snapshots([])).shape == (0, len(FEATURES))
