"""What is written for serving is what was fitted, and a second run writes the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb

from cds_service.errors import ConfigurationError
from cds_service.inference.explain import shap_table_from_arrays
from training.graph import onnx_from_forest
from training.prefixes import shortest_prefixes
from training.publish import npz_bytes, staged, write_artifact
from training.shap_tables import shap_arrays
from training.trees import forest_from_booster


def a_booster(depth: int, seed: int = 0) -> tuple:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(3000, 6)).astype(np.float32).round(1)
    y = (X[:, 0] * X[:, 1] + X[:, 2] ** 2 - X[:, 3] + rng.normal(size=3000) > 1).astype(int)
    X[rng.random(X.shape) < 0.2] = np.nan
    params = {"max_depth": depth, "objective": "binary:logistic", "seed": 1, "nthread": 1, "subsample": 0.8}
    return xgb.train(params, xgb.DMatrix(X, y), 12), X


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_shap_tables_are_exact_at_every_depth(depth):
    booster, X = a_booster(depth)
    arrays = {f"t.{name}": array for name, array in shap_arrays(forest_from_booster(booster)).items()}
    table = shap_table_from_arrays(arrays, "t")

    expected = booster.predict(xgb.DMatrix(X[:300]), pred_contribs=True)

    np.testing.assert_allclose([table.contributions(x) for x in X[:300]], expected[:, :-1], rtol=0, atol=1e-5)
    assert table.bias == pytest.approx(expected[0, -1], abs=1e-5)


def test_the_same_seed_writes_the_same_bytes():
    first, second = (forest_from_booster(a_booster(4)[0]) for _ in range(2))

    assert onnx_from_forest(first) == onnx_from_forest(second)
    assert npz_bytes(shap_arrays(first)) == npz_bytes(shap_arrays(second))


def test_compressed_prefixes_answer_every_code_as_listed():
    rng = np.random.default_rng(2)
    codes = {f"{letter}{number:03d}"[:length] for letter in "AB" for number in range(400) for length in (3, 4)}
    answers = {code: bool(rng.random() < 0.3) for code in sorted(codes)}

    rules = shortest_prefixes(answers)

    found = {code: next(rules[code[:n]] for n in range(len(code), 0, -1) if code[:n] in rules) for code in answers}
    assert found == answers
    assert len(rules) < len(answers)


def test_a_published_version_is_never_overwritten(tmp_path: Path):
    target = tmp_path / "risk" / "1.0.0"
    with staged(target, force=False) as staging:
        write_artifact(staging, {"a.txt": b"first"}, {})

    with pytest.raises(ConfigurationError, match="already published"), staged(target, force=False):
        pass

    assert (target / "a.txt").read_bytes() == b"first"


def test_a_failed_run_leaves_the_published_version_alone(tmp_path: Path):
    target = tmp_path / "risk" / "1.0.0"
    with staged(target, force=False) as staging:
        write_artifact(staging, {"a.txt": b"first"}, {})

    def interrupted() -> None:
        with staged(target, force=True) as staging:
            write_artifact(staging, {"a.txt": b"second"}, {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()

    assert (target / "a.txt").read_bytes() == b"first"
    assert [path.name for path in target.parent.iterdir()] == ["1.0.0"]
