"""Calls that go from stage to stage together, so that a stage's code and tables come into the cache once for all.

A processor that runs one call from end to end has lost the first stage's code when the next call comes: each stage
costs up to twice what it costs repeated. One thread therefore takes the calls that are waiting and runs them a stage
at a time (`stages.py`). Measured in docs/decisions/performance.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from itertools import islice
from math import inf
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import TypeVar, cast

from greenlet import getcurrent

from cds_service.stages import Crew, Staged, Wait

T = TypeVar("T")

# Chosen by us, measured: more are hardly cheaper, and as they are answered together, later.
TOGETHER = 16
# Calls that may have begun at a time, each with its request in memory: those that stand aside, and a round.
UNDER_WAY = 64
# Threads for what takes its time.
APART = 8
# While calls come several at a time, waiting so long for more makes rounds about twice as large.
GATHER_S = 0.002
# So long after a round new calls wait for those whose commit is under way, so as to be committed as one group with the
# calls that come after those: a row of a group of 16 costs half of one of a group of four. Chosen by us: some commits.
HOLD_S = 0.01
# Chosen by us: many times what a full round takes. One that lasts longer is held up by a call that does not end.
PATIENCE_S = 1.0


class Rounds:
    """One thread that runs the calls it is given, a stage at a time."""

    def __init__(self, name: str) -> None:
        self._new: deque[Callable[[], object]] = deque()
        self._events: SimpleQueue[_Aside | None] = SimpleQueue()  # whose wait is over; None for a new call, or the end
        self._aside: dict[_Aside, None] = {}
        self._under_way = 0
        self._crew = Crew(self)
        self._several = self._ending = False
        self._hold_until = 0.0
        self._since = inf  # when the round under way began
        self._apart = ThreadPoolExecutor(APART, thread_name_prefix=f"{name}-apart")
        self._thread = Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def begin(self, work: Callable[[], object]) -> None:
        """Have the call run soon. It must not raise."""
        self._new.append(work)
        self._events.put(None)

    def waiting(self) -> int:
        """How many calls have not begun."""
        return len(self._new)

    def keeps_up(self) -> bool:
        """Whether a call that begins now is run soon: not while one of a round does not come to its end."""
        return self._thread.is_alive() and monotonic() - self._since < PATIENCE_S

    def give_back(self) -> Iterator[Callable[[], object]]:
        """The calls that have not begun, for somebody else to run."""
        with suppress(IndexError):
            while True:
                yield self._new.popleft()

    def end(self, timeout_s: float) -> None:
        """Return once all calls that were taken are done, or after so long."""
        self._ending = True
        self._events.put(None)
        self._thread.join(timeout_s)
        self._apart.shutdown(wait=False)

    def _serve(self) -> None:
        while self._under_way or self._new or not self._ending:
            calls = self._next()
            self._several = len(calls) > 1 if calls else self._several
            self._since = monotonic()
            while calls:
                going_on = [call for call in calls if self._crew.goes_on(call)]
                self._under_way -= sum(call.work is None for call in calls)
                calls = going_on
                self._hold_until = monotonic() + HOLD_S
            self._since = inf
        self._crew.end()

    def _next(self) -> list[Staged]:
        """The calls of the next round: those that waited long enough, and new ones."""
        calls = [aside.call for aside in self._woken()]
        room = min(TOGETHER - len(calls), UNDER_WAY - self._under_way) if self._begins(calls) else 0
        begun = [self._crew.begin(work) for work in islice(self.give_back(), max(room, 0))]
        self._under_way += len(begun)
        return calls + begun

    def _begins(self, woken: list[Staged]) -> bool:
        """Whether new calls begin now: they fill a round, nobody is about to come along, or they waited long enough."""
        is_late = len(self._new) >= TOGETHER or monotonic() >= self._hold_until
        return is_late or not (woken or self._is_committing())

    def _is_committing(self) -> bool:
        """Whether a call will soon go on; one that waits for something slow has no deadline."""
        return any(aside.deadline < inf for aside in self._aside)

    def _woken(self) -> list[_Aside]:
        """Those whose wait is over; returns when there is one, or a call that can begin."""
        found: list[_Aside] = []
        try:
            self._settle(self._events.get(timeout=self._patience_s()), found)
            if self._several:
                sleep(GATHER_S)
            while True:
                self._settle(self._events.get_nowait(), found)
        except Empty:
            now = monotonic()
            for late in [aside for aside in self._aside if aside.deadline <= now]:
                self._settle(late, found)
        return found

    def _patience_s(self) -> float | None:
        if self._new and self._under_way < UNDER_WAY:
            if len(self._new) >= TOGETHER:
                return 0.0
            held_s = self._hold_until - monotonic() if self._is_committing() else GATHER_S if self._several else 0.0
            return max(0.0, held_s)
        first = min((aside.deadline for aside in self._aside), default=inf)
        return None if first == inf else max(0.0, first - monotonic())

    def _settle(self, aside: _Aside | None, found: list[_Aside]) -> None:
        if aside in self._aside:
            del self._aside[aside]
            found.append(aside)

    def wait_of(self, call: Staged) -> Wait:
        """Something for the call to wait for, standing aside."""
        return _Aside(call, self)

    def stand_aside(self, aside: _Aside) -> None:
        """Let the others go on until its wait is over; called by the call itself."""
        self._aside[aside] = None
        aside.call.parent.switch()

    def wake(self, aside: _Aside) -> None:
        """The wait of a call is over; from any thread."""
        self._events.put(aside)

    def do_apart(self, work: Callable[[], T]) -> T:
        """The result of work done by a thread, in the context of the call that asks for it."""
        aside = _Aside(cast(Staged, getcurrent()), self)
        doing = self._apart.submit(copy_context().run, work)
        doing.add_done_callback(lambda _done: aside.settle())
        aside.until(inf)
        return doing.result()


class _Aside:
    """A Wait of a call, which stands aside."""

    __slots__ = ("call", "deadline", "rounds")

    def __init__(self, call: Staged, rounds: Rounds) -> None:
        self.call = call
        self.rounds = rounds
        self.deadline = inf

    def settle(self) -> None:
        self.rounds.wake(self)

    def until(self, seconds: float) -> None:
        self.deadline = monotonic() + seconds
        self.rounds.stand_aside(self)
