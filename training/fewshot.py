"""Classes with one to twenty cases: prototypes in a whitened space, drawn towards their parent group."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

Floats = NDArray[np.float64]

# Kept in every variance, as a share of the feature's own: a direction nobody varies in is not a proof.
_FLOOR = 1e-6


class FewShotPrototypes(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A Gaussian for each class about a prototype that has been shrunk, wide where it rests on few cases.

    The prototype of a class with n cases is the mean of its cases and `shrinkage` cases at the mean of its
    parent group (all classes, where it has none). All classes share one covariance, the pooled spread within
    classes, drawn towards its diagonal by as many cases as there are features. A prototype is itself uncertain,
    so a class's predictive variance is larger by 1 / (n + shrinkage): a class known from one case claims less.

    Learning is counting: `partial_fit` in any batches comes to what `fit` comes to on all rows at once.

    Parameters
    ----------
    shrinkage : float, default=1.0
        Cases the parent's mean counts for. Chosen by cross-validation where there are enough cases.
    parents : mapping of class to group, or None
        Classes of the same group share a parent mean.
    priors : {"uniform", "empirical"}, default="uniform"
        What each class weighs before its values are seen. Uniform asks "which class is this most like".

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    class_count_ : ndarray of shape (n_classes,)
        Cases seen of each class.
    prototypes_ : ndarray of shape (n_classes, n_features)
    """

    def __init__(
        self,
        *,
        shrinkage: float = 1.0,
        parents: Mapping[Hashable, Hashable] | None = None,
        priors: str = "uniform",
    ) -> None:
        self.shrinkage = shrinkage
        self.parents = parents
        self.priors = priors

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from all rows at once: X of shape (n_samples, n_features), y of shape (n_samples,)."""
        rows, names = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(names)
        self._begin(unique_labels(names), rows)
        return self._count(rows, names)

    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None) -> Self:
        """Add rows to what was learned; `classes` names every class at the first call, else those of y count."""
        first = not hasattr(self, "classes_")
        rows, names = validate_data(self, X, y, dtype=np.float64, reset=first)
        check_classification_targets(names)
        if first:
            self._begin(unique_labels(names if classes is None else classes), rows)
        unknown = np.setdiff1d(names, self.classes_)
        if unknown.size:
            raise ValueError(f"classes not named at the first call: {unknown.tolist()}")
        return self._count(rows, names)

    def decision_function(self, X: ArrayLike) -> Floats:
        """Log of prior times density of each class, up to a constant; shape (n_samples, n_classes).

        With two classes the difference of the second and the first, shape (n_samples,), as scikit-learn has it.
        """
        scores = self._log_scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Share of each class, shape (n_samples, n_classes); not calibrated."""
        scores = self._log_scores(X)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The class of the largest share, shape (n_samples,)."""
        best = self._log_scores(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def _begin(self, classes: NDArray[Any], X: Floats) -> None:
        if self.shrinkage <= 0:
            raise ValueError("shrinkage must be over 0: a class without cases has no mean of its own")
        if self.priors not in ("uniform", "empirical"):
            raise ValueError("priors must be 'uniform' or 'empirical'")
        self.classes_ = classes
        self.class_count_ = np.zeros(len(classes))
        self._origin = X[0].copy()  # sums are kept about a point in the data, so that squares keep their digits
        self._sums = np.zeros((len(classes), X.shape[1]))
        self._products = np.zeros((X.shape[1], X.shape[1]))

    def _count(self, X: Floats, y: NDArray[Any]) -> Self:
        rows = X - self._origin
        index = np.searchsorted(self.classes_, y)
        self.class_count_ += np.bincount(index, minlength=len(self.classes_))
        np.add.at(self._sums, index, rows)
        self._products += rows.T @ rows
        self._settle()
        return self

    def _settle(self) -> None:
        """Prototypes, whitening and widths from the counts."""
        counts = self.class_count_[:, None]
        means = self._sums / np.maximum(counts, 1)
        parents = self._parent_means()
        shrunk = (self._sums + self.shrinkage * parents) / (counts + self.shrinkage)
        self.prototypes_ = shrunk + self._origin
        self._whitening = self._whiten(self._products - (counts * means).T @ means)
        self._width = 1 + 1 / (self.class_count_ + self.shrinkage)

    def _parent_means(self) -> Floats:
        """The mean of each class's group, weighing its classes alike; of all classes where it has none."""
        means = self._sums / np.maximum(self.class_count_, 1)[:, None]
        seen = self.class_count_ > 0
        groups = np.array([(self.parents or {}).get(name) for name in self.classes_.tolist()], dtype=object)
        parents = np.empty_like(means)
        for at, group in enumerate(groups):
            siblings = seen & np.array([other == group for other in groups])
            parents[at] = means[siblings if siblings.any() else seen].mean(axis=0)
        return parents

    def _whiten(self, scatter: Floats) -> Floats:
        """The matrix that turns pooled spread within classes into a unit sphere, shape (n_features, n_features)."""
        n_features = scatter.shape[0]
        freedom = max(self.class_count_.sum() - (self.class_count_ > 0).sum(), 0.0)
        total = self._products / self.class_count_.sum() - np.outer(self._mean(), self._mean())
        scale = np.maximum(np.diag(total), 0.0)
        scale = np.where(scale > 0, scale, 1.0)
        within = (scatter + n_features * np.diag(np.diag(scatter) / max(freedom, 1.0))) / (freedom + n_features)
        if freedom == 0:
            within = np.diag(scale)  # one case a class: how far cases of one class lie apart is not known yet
        within = within + _FLOOR * np.diag(scale)
        values, vectors = np.linalg.eigh(within)
        return np.asarray(vectors / np.sqrt(np.maximum(values, _FLOOR * values.max())))

    def _mean(self) -> Floats:
        return np.asarray(self._sums.sum(axis=0) / self.class_count_.sum())

    def _log_scores(self, X: ArrayLike) -> Floats:
        check_is_fitted(self, "prototypes_")
        given: Floats = validate_data(self, X, dtype=np.float64, reset=False)
        rows, centres = given @ self._whitening, self.prototypes_ @ self._whitening
        distances = ((rows[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
        scores = -0.5 * (distances / self._width + given.shape[1] * np.log(self._width))
        if self.priors == "empirical":
            with np.errstate(divide="ignore"):
                scores = scores + np.log(self.class_count_ / self.class_count_.sum())
        return np.asarray(scores)
