"""A moment by which something must have happened, moved on with each message at the cost of an assignment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `late` once its moment has passed. One timer looks whether it has, and looks again where it was moved on.

    A timer of its own for each wait costs an event loop more than the wait does.
    """

    def __init__(self, late: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._late = late
        self._moment: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, moment: float) -> None:
        """Wait until then, by the clock of the loop; what was set before is forgotten."""
        self._moment = moment
        if self._timer is None or moment < self._timer.when():
            self.close()
            self._timer = self._loop.call_at(moment, self._look)

    def lift(self) -> None:
        """It has happened: wait for nothing, until set again."""
        self._moment = None

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._moment is None:
            return
        if self._loop.time() < self._moment:
            self._timer = self._loop.call_at(self._moment, self._look)
        else:
            self._late()
