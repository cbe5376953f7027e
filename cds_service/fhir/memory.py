"""What was worked out once, by what was sent: senders say the same few things again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(dict[K, V]):
    """Answers by what was asked: looked up by indexing, which calls no Python; worked out when there is none yet.

    `keeps` says what may be kept: nothing long, and nothing of a patient. When there is no more room it starts anew.
    """

    def __init__(self, work_out: Callable[[K], V], *, keeps: Callable[[K, V], bool], room: int) -> None:
        super().__init__()
        self._work_out, self._keeps, self._room = work_out, keeps, room

    def __missing__(self, asked: K) -> V:
        """Work the answer out and keep it, if it may be kept."""
        answer = self._work_out(asked)
        if self._keeps(asked, answer):
            if len(self) >= self._room:
                self.clear()
            self[asked] = answer
        return answer
