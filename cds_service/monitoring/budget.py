"""How much of something may happen in a while."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic


class MinuteBudget:
    """At most `limit` uses a minute, counted from the first one of each minute."""

    def __init__(self, limit: int, *, clock: Callable[[], float] = monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = Lock()
        self._began = float("-inf")
        self._used = 0

    def take(self) -> bool:
        """Whether one more use is within the budget; it is counted if so."""
        now = self._clock()
        with self._lock:
            if now - self._began >= 60:
                self._began, self._used = now, 0
            if self._used >= self._limit:
                return False
            self._used += 1
            return True
