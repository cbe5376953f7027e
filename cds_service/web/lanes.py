"""Where requests wait to be run: threads that take one after the other, or `rounds.Rounds`, which look the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic
from typing import Protocol


class Lane(Protocol):
    """Where calls wait for their turn."""

    def begin(self, work: Callable[[], object]) -> None:
        """Have the call run soon. It must not raise."""

    def waiting(self) -> int:
        """How many calls have not begun."""

    def end(self, timeout_s: float) -> None:
        """Return once all calls that were taken are done, or after so long."""


class Threads:
    """So many threads, first come, first served."""

    def __init__(self, count: int, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, name=f"{name}-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def begin(self, work: Callable[[], object]) -> None:
        """Have the call run soon. It must not raise."""
        self._calls.put(work)

    def waiting(self) -> int:
        """How many calls have not begun."""
        return self._calls.qsize()

    def end(self, timeout_s: float) -> None:
        """Return once all calls that were taken are done, or after so long."""
        for _ in self._threads:
            self._calls.put(None)
        end = monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, end - monotonic()))

    def _serve(self) -> None:
        while (work := self._calls.get()) is not None:
            work()
