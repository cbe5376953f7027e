"""A recalibration of the model in service: on which rows it may win, and how its report explains it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cds_service.inference.predictor import load_predictor
from cds_service.inference.tiers import tier_of_row
from tests.conftest import REPOSITORY
from tests.training.labelled import risk_columns, write_dataset
from training.compare import _unmet, _winner
from training.explained import _of_champion
from training.exported import read_exported
from training.in_service import RECALIBRATED, read_champion
from training.report.page import _recalibration
from training.scores import Calibration
from training.task import TASKS

RISK = TASKS["risk"]
CHAMPION = REPOSITORY / "models" / "risk" / "1.0.0"


def rows(tmp_path, *answered_by):
    """Conformal rows, each answered by the next of these versions."""
    columns = risk_columns(300, 0.3)
    versions = np.array([answered_by[i % len(answered_by)] for i in range(300)])
    return read_exported(write_dataset(tmp_path / "data", columns | {"model_version": versions}), RISK)


def contender(name, nested, sure):
    """One that says the truth with this much confidence."""

    def margins(X):
        return np.full((len(X), 2), [0.0, sure])

    return SimpleNamespace(name=name, nested=nested, margins=margins, calibration=Calibration(1.0, (0.0, 0.0)))


@pytest.mark.parametrize(
    ("answered_by", "winner"),
    [
        (("1.0.0",), RECALIBRATED),
        (("1.0.0", "0.9.0"), RECALIBRATED),
        (("0.9.0",), "XGBoost"),
        (("",), "XGBoost"),
        (("1.0.0", *["0.9.0"] * 29), "XGBoost"),
    ],
    ids=["all new to it", "half", "it may have learned them all", "nobody knows", "a handful"],
)
def test_a_recalibration_wins_only_on_rows_its_model_never_learned(tmp_path, answered_by, winner):
    champion = read_champion(CHAMPION, RISK)
    unmet = _unmet(champion, RISK, SimpleNamespace(conformal=rows(tmp_path, *answered_by)), 10)
    better, worse = contender(RECALIBRATED, (), -1.0), contender("XGBoost", (1.5,), 1.0)

    assert _winner(RISK, [worse, better], unmet).name == winner


def test_its_inputs_are_told_by_the_trees_in_service():
    predictor = load_predictor(REPOSITORY / "models")
    X = np.array(
        [
            [71, 1, 128, 38.2, 95, 55, 28, 88, 1, 7, 3],
            [30, 0, 70, 36.6, 120, 70, 14, 99, np.nan, np.nan, np.nan],
            [50, 1, 90, np.nan, 130, 80, np.nan, np.nan, np.nan, np.nan, np.nan],
        ],
        dtype=np.float32,
    )

    told = _of_champion(read_champion(CHAMPION, RISK), X)[:, 0]

    for row, found in zip(X, told, strict=True):
        tier = predictor.tiers[tier_of_row(row.tolist())]
        expected = np.zeros(len(row))
        expected[: tier.n_columns] = tier.shap.contributions(row[: tier.n_columns])
        assert found == pytest.approx(expected, abs=1e-5)


def test_the_report_says_on_how_many_rows_it_was_compared():
    assert _recalibration({"recalibration": None}) == ""
    assert "on the 3 of 40 conformal rows" in _recalibration({"recalibration": {"conformal": 40, "new": 3}})
