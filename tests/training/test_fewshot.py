from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.utils.estimator_checks import parametrize_with_checks

from training.fewshot import FewShotPrototypes

Floats = NDArray[np.float64]


@parametrize_with_checks([FewShotPrototypes(), FewShotPrototypes(priors="empirical", shrinkage=3.0)])
def test_it_keeps_scikit_learns_contract(estimator: FewShotPrototypes, check: object) -> None:
    check(estimator)  # type: ignore[operator]


def three_classes(n_cases: tuple[int, int, int], seed: int = 7) -> tuple[Floats, NDArray[np.str_]]:
    """Correlated features of very different scale; the third class lies off the others' long axis."""
    rng = np.random.default_rng(seed)
    spread = np.linalg.cholesky(np.array([[100.0, 18.0, 0.0], [18.0, 4.0, 0.0], [0.0, 0.0, 0.01]]))
    centres = {"common": (80.0, 16.0, 36.8), "other": (95.0, 19.0, 37.0), "rare": (80.0, 24.0, 36.8)}
    rows = [centre + rng.normal(size=(n, 3)) @ spread.T for n, centre in zip(n_cases, centres.values(), strict=True)]
    return np.vstack(rows), np.repeat(list(centres), n_cases)


@pytest.mark.parametrize("batches", [2, 7, 50])
def test_batches_of_any_size_come_to_the_same(batches: int) -> None:
    X, y = three_classes((60, 40, 3))
    shuffled = np.random.default_rng(1).permutation(len(X))
    whole = FewShotPrototypes().fit(X, y)
    parts = FewShotPrototypes()

    for rows in np.array_split(shuffled, batches):
        parts.partial_fit(X[rows], y[rows], classes=["common", "other", "rare"])

    assert np.allclose(parts.predict_proba(X), whole.predict_proba(X), atol=1e-9)


@pytest.mark.parametrize(("cases", "floor"), [(1, 0.7), (5, 0.9), (20, 0.95)])
def test_a_class_is_found_again_from_few_cases(cases: int, floor: float) -> None:
    X, y = three_classes((400, 400, cases))
    later, truth = three_classes((0, 0, 300), seed=99)

    found = FewShotPrototypes().fit(X, y).predict(later)

    assert (found == truth).mean() >= floor


def test_units_and_shifts_of_features_do_not_matter() -> None:
    X, y = three_classes((50, 50, 5))
    fahrenheit = X * [1.0, 1.0, 1.8] + [0.0, 0.0, 32.0]

    one, other = FewShotPrototypes().fit(X, y), FewShotPrototypes().fit(fahrenheit, y)

    assert np.allclose(one.predict_proba(X), other.predict_proba(fahrenheit), atol=1e-6)


def test_a_class_known_from_few_cases_is_wider() -> None:
    X, y = three_classes((400, 400, 20))
    few = np.r_[0:800, 800]
    far = X[800:].mean(axis=0) + np.array([0.0, 30.0, 0.0])

    many_cases, one_case = FewShotPrototypes().fit(X, y), FewShotPrototypes().fit(X[few], y[few])

    def share_of_its_own_centre(model: FewShotPrototypes) -> float:
        at_centre, far_off = model.decision_function([model.prototypes_[2], far])[:, 2]
        return float(np.exp(at_centre - far_off))

    assert share_of_its_own_centre(one_case) < share_of_its_own_centre(many_cases)


def test_a_parent_draws_its_classes_together() -> None:
    X = np.array([[0.0], [10.0], [12.0], [100.0]])
    y = np.array(["a", "b", "c", "d"])
    grouped = FewShotPrototypes(parents={"b": "g", "c": "g"}).fit(X, y)

    assert grouped.prototypes_[1] == pytest.approx([(10 + 11) / 2])
    assert FewShotPrototypes().fit(X, y).prototypes_[1] == pytest.approx([(10 + 30.5) / 2])


def test_a_class_nobody_named_at_first_is_refused() -> None:
    model = FewShotPrototypes().partial_fit([[0.0], [1.0]], ["a", "b"])

    with pytest.raises(ValueError, match="not named"):
        model.partial_fit([[2.0]], ["c"])


@pytest.mark.parametrize("wrong", [{"shrinkage": 0.0}, {"priors": "flat"}])
def test_settings_that_will_not_do_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        FewShotPrototypes(**wrong).fit([[0.0], [1.0]], [0, 1])  # type: ignore[arg-type]
