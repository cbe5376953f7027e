"""A terminal for what shows itself on one only."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

_PATIENCE_S = 10.0


@contextmanager
def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], bool]]:
    """Standard error is a terminal until the block ends; the function says whether a text was shown on it."""
    reader, writer = os.openpty()
    monkeypatch.setenv("TERM", "xterm")
    told = b""

    def shows(text: str) -> bool:
        nonlocal told
        while text.encode() not in told and select.select([reader], [], [], _PATIENCE_S)[0]:
            told += os.read(reader, 65_536)
        return text.encode() in told

    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        yield shows
    os.close(reader)
