"""Sets of classes that hold the true one as often as promised, class by class."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.scores import Labels, Scores


def thresholds(p: Scores, y: Labels, alpha: float) -> list[float]:
    """The least probability at which each class is in the set; 0, always, where there are too few rows to promise.

    Class-conditional split conformal prediction (Vovk 2012): of n rows of a class nobody was fitted on, the
    floor(alpha (n + 1))-th smallest probability of that class.
    """
    found = []
    for number in range(p.shape[1]):
        own = np.sort(p[y == number, number])
        rank = int(np.floor(alpha * (len(own) + 1)))
        found.append(float(own[rank - 1]) if rank else 0.0)
    return found


def coverage(p: Scores, y: Labels, limits: list[float], classes: tuple[str, ...]) -> dict[str, Any]:
    """How often the sets hold the true class, and how many classes they hold."""
    sets = p >= np.array(limits)
    held = sets[np.arange(len(y)), y]
    by_class = {
        name: {
            "rows": int((y == number).sum()),
            "coverage": float(held[y == number].mean()) if (y == number).any() else None,
            "size": float(sets[y == number].sum(axis=1).mean()) if (y == number).any() else None,
        }
        for number, name in enumerate(classes)
    }
    sizes = np.bincount(sets.sum(axis=1), minlength=len(classes) + 1)
    return {"by_class": by_class, "sizes": sizes.tolist(), "mean_size": float(sets.sum(axis=1).mean())}
