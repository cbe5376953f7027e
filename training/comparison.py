"""What a comparison is asked for, and what it found before any of it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.contest import Contender
from training.in_service import Champion
from training.partition import Parts
from training.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be compared: the data, where the challenger goes, what it challenges, and who asked when.

    `trials` by family makes tuning the same on every machine; without it the seconds of `params` are shared out.
    `unsearched` are the families that found no time to choose anything in the run that is made again.
    An `incremental` one compares the champion with itself continued and recalibrated, and tries no other family.
    """

    task: str
    data: Path
    out: Path
    trainer: str
    champion: Path | None = None
    at: str | None = None
    trials: Mapping[str, int] | None = None
    incremental: bool = False
    unsearched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything found, before it is written down."""

    task: Task
    parts: Parts
    split: str
    contenders: tuple[Contender, ...]
    winner: Contender
    champion: Champion | None
    params: Mapping[str, Any]
