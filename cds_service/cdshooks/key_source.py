"""Where the keys of a client are; apart from reading them, so that settings are read without the libraries of keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a client's keys are: a file given beforehand, or the one address they may be fetched from."""

    file: Path | None = None
    address: str | None = None
