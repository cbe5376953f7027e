"""Who is fitted on, calibrated on, set aside for conformal sets and tested on: whole patients, in order of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds_service.errors import ConfigurationError
from training.dataset import Dataset
from training.task import Task

PARTS = ("fit", "calibration", "conformal", "test")
Assignment = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Parts:
    """Four parts without a patient in common."""

    fit: Dataset
    calibration: Dataset
    conformal: Dataset
    test: Dataset

    def __iter__(self) -> Iterator[Dataset]:
        return iter((self.fit, self.calibration, self.conformal, self.test))


def partition(data: Dataset, params: Mapping[str, Any], *, mode: str) -> Parts:
    """The parts by one of MODES; ConfigurationError when one of them would share a patient with another."""
    part_of_row = MODES[mode](data, params)
    parts = Parts(*(data.rows(part_of_row == number) for number in range(len(PARTS))))
    refuse_shared_patients(parts)
    return parts


def shared_patients(parts: Parts) -> int:
    """How many patients stand in more than one part."""
    pairs = combinations([set(part.patient.tolist()) for part in parts], 2)
    return len(set().union(*(first & second for first, second in pairs)))


def refuse_shared_patients(parts: Parts) -> None:
    """Whoever was learned from would be recognised, not predicted."""
    shared = shared_patients(parts)
    if shared:
        raise ConfigurationError(f"{shared} patients stand in more than one part: split by patient", where="split")


def require_classes(data: Dataset, task: Task, least: int) -> None:
    """Refuse data without enough patients of each class to learn, calibrate and test on."""
    for number, name in enumerate(task.classes):
        found = len(np.unique(data.patient[data.y == number]))
        if found < least:
            count = "no patient" if not found else f"{found} of at least {least} patients"
            raise ConfigurationError(f"class {name} has {count}: label more before training", where="dataset")


def _by_year(data: Dataset, params: Mapping[str, Any]) -> Assignment:
    """The survey's years: as `split_by_year`, with a further share of the calibration year for conformal sets."""
    draws = np.random.default_rng(params["seed"]).random(len(data.y))
    last = data.year == params["calibration_year"]
    calibrates = last & (draws < params["calibration_share"])
    conforms = last & ~calibrates & (draws < params["calibration_share"] + params["conformal_share"])
    return np.select([data.year > params["last_year"], conforms, calibrates], [3, 2, 1], 0)


def _by_time(data: Dataset, params: Mapping[str, Any]) -> Assignment:
    return _in_order_of_time(data, np.zeros(len(data.y), dtype=np.int64), params)


def _by_time_in_classes(data: Dataset, params: Mapping[str, Any]) -> Assignment:
    """In order of time within the rarest class a patient was ever given, so that no part lacks a small class."""
    rarity = np.argsort(np.argsort(np.bincount(data.y, minlength=data.y.max() + 1), kind="stable"), kind="stable")
    rank = rarity[data.y]
    _, patient = np.unique(data.patient, return_inverse=True)
    rarest = np.full(patient.max() + 1, rank.max())
    np.minimum.at(rarest, patient, rank)
    return _in_order_of_time(data, rarest[patient], params)


MODES: Mapping[str, Callable[[Dataset, Mapping[str, Any]], Assignment]] = {
    "by-year": _by_year,
    "by-time": _by_time,
    "by-time-in-classes": _by_time_in_classes,
}


def _in_order_of_time(data: Dataset, stratum: NDArray[np.int64], params: Mapping[str, Any]) -> Assignment:
    """Patients by their last reading, cut in each stratum at the shares of rows; half of the middle is conformal's.

    Patients kept from training are tested on, whenever they came.
    """
    rng = np.random.default_rng(params["seed"])
    patients, index, counts = np.unique(data.patient, return_inverse=True, return_counts=True)
    last = np.zeros(len(patients), dtype=np.int64)
    np.maximum.at(last, index, data.order)
    strata = np.zeros(len(patients), dtype=np.int64)
    strata[index] = stratum
    ties = rng.random(len(patients))
    part = np.empty(len(patients), dtype=np.int64)
    cuts = np.cumsum([params["fit"], params["middle"] / 2, params["middle"] / 2])
    held = np.zeros(len(patients), dtype=np.bool_)
    held[index[data.holdout]] = True
    part[held] = PARTS.index("test")
    for number in np.unique(strata):
        chosen = np.flatnonzero((strata == number) & ~held)
        ordered = chosen[np.lexsort((ties[chosen], last[chosen]))]
        done = (np.cumsum(counts[ordered]) - counts[ordered] / 2) / counts[ordered].sum()
        part[ordered] = np.searchsorted(cuts, done, side="right")
        middle = ordered[np.isin(part[ordered], (1, 2))]
        part[rng.permutation(middle)] = 1 + np.arange(len(middle)) % 2
    return part[index]
