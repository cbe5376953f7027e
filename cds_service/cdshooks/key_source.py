"""A client's keys and where they are; apart from reading them, so that a start does without the libraries of keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where one set of a client's keys is: in a file given beforehand, or at the address a token may name."""

    file: Path | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """One public key and the one algorithm it is for."""

    algorithm: str
    public: EllipticCurvePublicKey | RSAPublicKey


class UnusableKeys(Exception):
    """The document is no key set that can be used; the text says why, and holds no key."""
