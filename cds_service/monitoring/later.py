"""Counting put off: a call notes what happened, and whoever asks for the counts has it counted first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")

# Chosen by us: some hundred kilobytes at most, where nobody asks.
MOST = 256


class Later(Generic[T]):
    """What happened and is not counted yet. Any thread notes, any thread asks."""

    def __init__(self, count: Callable[[Sequence[T]], object]) -> None:
        """`count` takes all that was noted, in its order; it is never called twice at a time."""
        self._count = count
        self._noted: deque[T] = deque()
        self._lock = Lock()

    def note(self, happened: T) -> None:
        """Have it counted before anybody looks at the counts."""
        self._noted.append(happened)
        if len(self._noted) >= MOST:
            self.settle()

    def settle(self) -> None:
        """Return once all that was noted is counted, by this thread or another."""
        with self._lock:
            self._count([self._noted.popleft() for _ in range(len(self._noted))])
