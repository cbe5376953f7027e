"""The published graph and the served tables say what XGBoost says, missing inputs included."""

from __future__ import annotations

import numpy as np
import pytest

from cds_service.inference.tiers import TIERS

xgb = pytest.importorskip("xgboost")
run_graph = pytest.importorskip("training.graph").run_graph

PARITY = 1e-5


@pytest.fixture(scope="session", params=list(TIERS))
def tier_and_booster(request, predictor):
    booster = xgb.Booster()
    booster.load_model(bytearray((predictor.card_path.parent / f"{request.param}.ubj").read_bytes()))
    return predictor.tiers[request.param], booster


def test_graph_and_served_margins_equal_xgboost(tier_and_booster, rows, predictor):
    tier, booster = tier_and_booster
    X = rows[:, : tier.n_columns]
    graph = (predictor.card_path.parent / f"{tier.name}.onnx").read_bytes()

    expected = booster.predict(xgb.DMatrix(X), output_margin=True)

    np.testing.assert_allclose(run_graph(graph, X, "margin")[:, 0], expected, rtol=0, atol=PARITY)
    np.testing.assert_allclose(tier.margins(rows), expected, rtol=0, atol=PARITY)


def test_shap_tables_equal_pred_contribs(tier_and_booster, rows):
    tier, booster = tier_and_booster
    X = rows[:500, : tier.n_columns]

    expected = booster.predict(xgb.DMatrix(X), pred_contribs=True)

    np.testing.assert_allclose([tier.shap.contributions(x) for x in X], expected[:, :-1], rtol=0, atol=PARITY)
    assert tier.shap.bias == pytest.approx(expected[0, -1], abs=PARITY)


def test_values_exactly_on_a_split_agree(tier_and_booster, rows, predictor):
    """The comparison is strict: a value equal to a split's limit goes right in all three."""
    tier, booster = tier_and_booster
    slots, limits = tier.shap.slots, tier.shap.limits
    at_limits = np.repeat(rows[:1, : tier.n_columns], 300, axis=0)
    straight = np.flatnonzero((slots < tier.n_columns) & np.isfinite(limits))[:300]
    at_limits[np.arange(len(straight)), slots[straight]] = limits[straight]

    expected = booster.predict(xgb.DMatrix(at_limits), pred_contribs=True)

    found = np.array([tier.shap.contributions(x) for x in at_limits])
    np.testing.assert_allclose(found, expected[:, :-1], rtol=0, atol=PARITY)
    np.testing.assert_allclose(tier.margins(at_limits), expected.sum(axis=1), rtol=0, atol=2 * PARITY)
    graph = run_graph((predictor.card_path.parent / f"{tier.name}.onnx").read_bytes(), at_limits, "margin")
    np.testing.assert_allclose(graph[:, 0], expected.sum(axis=1), rtol=0, atol=2 * PARITY)
