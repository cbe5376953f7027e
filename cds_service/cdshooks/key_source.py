"""Where the keys of a client are; apart from reading them, so that settings are read without the libraries of keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where one set of a client's keys is: in a file given beforehand, or at the address a token may name."""

    file: Path | None = None
    address: str | None = None
