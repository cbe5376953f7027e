"""Patients whose order is beyond doubt: the published model orders them rightly, a turned one does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cds_service.domain.features import Matrix
from cds_service.domain.label import CATEGORIES
from cds_service.inference.predictor import load_predictor
from training.golden_cases import golden_failures
from training.resampling import Floats

MODELS = Path(__file__).parents[2] / "models"


def test_the_published_model_orders_every_pair_rightly() -> None:
    predictor = load_predictor(MODELS)
    assert golden_failures("risk", lambda rows: predictor.score(rows)[:, None], ("icu",)) == ()


def test_a_model_of_turned_labels_is_found_out() -> None:
    predictor = load_predictor(MODELS)
    failures = golden_failures("risk", lambda rows: 1 - predictor.score(rows)[:, None], ("icu",))
    assert len(failures) == 18
    assert failures[0] == "septic-shock, female, 40 years: icu"


def test_a_state_model_must_tell_the_sick_from_the_well() -> None:
    def by_pulse(rows: Matrix) -> Floats:
        acute = np.clip(rows[:, 2] / 200, 0, 1)
        return np.stack([(1 - acute) / 4] * 2 + [acute] + [(1 - acute) / 4] * 2, axis=1)

    assert golden_failures("state", by_pulse, CATEGORIES) == ()
    assert len(golden_failures("state", lambda rows: np.full((len(rows), 5), 0.2), CATEGORIES)) == 36
