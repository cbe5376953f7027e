"""What there is to learn: the tasks, their classes, and which of the classes are judged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.label import CATEGORIES
from cds_service.domain.policy import AssessmentPolicy
from training.scores import Scores


class Task(NamedTuple):
    """One task: classes in the order of the model's outputs, and the numbers of those every figure is told for."""

    name: str
    classes: tuple[str, ...]
    judged: tuple[int, ...]

    @property
    def judged_names(self) -> tuple[str, ...]:
        """The judged classes by name."""
        return tuple(self.classes[k] for k in self.judged)

    def decide(self, p: Scores) -> NDArray[np.int64]:
        """Number of the class each row is called: risk from the high band on, else the most likely class."""
        if len(self.classes) == 2:
            return (p[:, 1] >= AssessmentPolicy().high).astype(np.int64)
        called: NDArray[np.int64] = p.argmax(axis=1)
        return called


TASKS = {
    "risk": Task("risk", ("no-icu", "icu"), (1,)),
    "state": Task("state", CATEGORIES, tuple(range(len(CATEGORIES)))),
}
