"""Where the stages of a call end, what it waits for and what may take its time, wherever it is run.

In a call that goes through its stages with others each of these lets the others go on (`rounds.py`, and `Crew.in_step`
for a thread that waits itself); anywhere else they do what they would do anyway: nothing, block, do it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import Protocol, TypeVar

from greenlet import getcurrent, greenlet

from cds_service import logs

log = logs.get_logger(__name__)

T = TypeVar("T")


class Wait(Protocol):
    """One thing to wait for."""

    def settle(self) -> None:
        """It has come: told once, by any thread, before or after somebody waits."""

    def until(self, seconds: float) -> None:
        """Return when it has come, or after so many seconds."""


class Others(Protocol):
    """What lets others go on while one call waits."""

    def wait_of(self, call: Staged) -> Wait:
        """Something for the call to wait for."""

    def do_apart(self, work: Callable[[], T]) -> T:
        """The result of work done by a thread, in the context of the call that asks for it."""


class _Blocked:
    """A Wait of a thread, which stands still."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = Lock()
        self._lock.acquire()

    def settle(self) -> None:
        self._lock.release()

    def until(self, seconds: float) -> None:
        self._lock.acquire(timeout=seconds)


_NEXT_STAGE = object()


class Staged(greenlet):  # type: ignore[misc]
    """Runs one call after the other; `work` is the one at hand, None once it has ended."""

    def __init__(self, others: Others | None) -> None:
        super().__init__()
        self.others = others
        self.work: Callable[[], object] | None = None

    def run(self) -> None:
        """Until it is ended; begun and gone on with by `Crew.goes_on`."""
        while self.work is not None:
            self.work()
            self.work = None
            self.parent.switch()


class Crew:
    """The greenlets of one thread. One that has ended its call takes another: no call maps and unmaps a stack."""

    def __init__(self, others: Others | None = None) -> None:
        self._others = others
        self._idle: list[Staged] = []

    def begin(self, work: Callable[[], object]) -> Staged:
        """What runs the call, in a context of its own."""
        call = self._idle.pop() if self._idle else Staged(self._others)
        call.gr_context = None
        call.work = work
        return call

    def goes_on(self, call: Staged) -> bool:
        """Run one call to the end of its stage; whether it wants the next one at once."""
        try:
            if call.switch() is _NEXT_STAGE:
                return True
        except Exception as error:  # a call answers its own failures: one that does not must not end all others
            log.error("call_failed", exception=type(error).__name__, frames=logs.frames(error))
            call.work = None
            return False
        if call.work is None:
            self._idle.append(call)
        return False

    def in_step(self, works: Iterable[Callable[[], object]]) -> None:
        """Run calls a stage at a time, waiting for what they wait for; none may raise.

        Each is asked for when those before it have ended their first stage.
        """
        calls = [call for work in works if self.goes_on(call := self.begin(work))]
        while calls:
            calls = [call for call in calls if self.goes_on(call)]

    def end(self) -> None:
        """Let go of the stacks, when all calls have ended."""
        for call in self._idle:
            call.switch()
        self._idle.clear()


def turn() -> None:
    """A stage ends here: the calls of this round are all brought so far before one goes further."""
    here = getcurrent()
    if isinstance(here, Staged):
        here.parent.switch(_NEXT_STAGE)


def waiting() -> Wait:
    """Something to wait for: a call lets others go on meanwhile, a thread stands still."""
    here = getcurrent()
    return here.others.wait_of(here) if isinstance(here, Staged) and here.others is not None else _Blocked()


def apart(work: Callable[[], T]) -> T:
    """What the work returns or raises; in a call, which would keep all others waiting, it is done by a thread."""
    here = getcurrent()
    return here.others.do_apart(work) if isinstance(here, Staged) and here.others is not None else work()
