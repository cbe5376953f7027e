"""Identifiers of predictions: UUID version 7, so that rows arrive in index order."""

from __future__ import annotations

import os
from datetime import datetime
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_RANDOM_A = 0xFFF << 64
_RANDOM_B = (1 << 62) - 1


def new_id(at: datetime) -> UUID:
    """A fresh UUID whose first 48 bits are the milliseconds of `at` (RFC 9562, section 5.7)."""
    random = int.from_bytes(os.urandom(10))
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | _VERSION_7 | random & _RANDOM_A | _VARIANT | random & _RANDOM_B)
