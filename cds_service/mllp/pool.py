"""Threads that run blocking work for an event loop. They are daemons: a stuck one does not keep the process alive."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Generic, TypeVar

from cds_service.stages import Crew

T = TypeVar("T")

# Chosen by us: some times what those taken together need, and little to wait behind one that takes long.
PATIENCE_S = 0.05
TOGETHER = 16


@dataclass(frozen=True, slots=True)
class Later(Generic[T]):
    """What a thread only begins, and which ends elsewhere; nobody's thread waits for that.

    `begin` hands it over and gives what says the result; that is asked once `ended` was called, or after `most_s`.
    """

    begin: Callable[[Callable[[], object]], Callable[[], T]]
    most_s: float


class _Job:
    """Work, and what gives its result or raises: there is an outcome, and it has ended, in whichever order."""

    __slots__ = ("done", "has_ended", "is_long", "outcome", "work")

    def __init__(self, work: Callable[[], Any], done: asyncio.Future[None], *, is_long: bool) -> None:
        self.work = work
        self.is_long = is_long
        self.done = done
        self.outcome: Callable[[], Any] | None = None
        self.has_ended = False


class Bell:
    """Has functions called in the loop's thread from others: however many wait, the loop is woken once."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Callable[[], object]] = deque()
        self._has_rung = False

    def ring(self, call: Callable[[], object]) -> None:
        """Have it called soon, after those before it; never, once the loop has ended."""
        self._waiting.append(call)
        if not self._has_rung:
            self._has_rung = True
            with contextlib.suppress(RuntimeError):  # the loop ended: nobody is left to hear it
                self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._has_rung = False  # before they are called: what comes meanwhile rings again
        while self._waiting:
            self._waiting.popleft()()


def settle(future: asyncio.Future[T], result: T) -> None:
    """Give the future its result, unless nobody waits for it any more."""
    if not future.done():
        future.set_result(result)


class ThreadPool:
    """One thread, first come, first served; while it and all others are held up, work gets another one.

    What waits at the same time it takes through its stages together. The interpreter runs one thread at a time: one
    for each message makes them take turns, which costs more than the message does, and makes none sooner. Only work
    that takes long is worth a thread beside it.
    """

    def __init__(self, threads: int, *, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._bell = Bell()
        self._most = threads
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._since: dict[threading.Thread, float | None] = {}  # when each began what it is at
        self._begun: deque[tuple[float, _Job]] = deque()  # what ends elsewhere, and when it is given up
        self._open = 0
        self._watch: asyncio.TimerHandle | None = None

    async def run(self, work: Callable[[], T | Later[T]], *, is_long: bool = False) -> T:
        """What `work` returns or raises, from a thread; where it was only begun there, what it came to.

        What `is_long` is done by itself: nothing that has begun waits for it.
        """
        job = _Job(work, self._loop.create_future(), is_long=is_long)
        self._open += 1
        self._jobs.put(job)
        self._look()
        try:
            await job.done
        finally:
            self._open -= 1
            outcome, job.outcome = job.outcome, None
        if outcome is None:
            raise RuntimeError("work ended without saying how")
        found: T = outcome()
        return found

    def close(self) -> None:
        """Let the threads end once the work handed over is done; they are not waited for."""
        for _ in self._since.copy():
            self._jobs.put(None)

    def _look(self) -> None:
        """Start another thread where all are held up, and look again while any work is open."""
        if len(self._since) < self._most and self._are_held_up():
            self._start()
        if self._watch is None:
            self._watch = self._loop.call_later(PATIENCE_S, self._look_again)

    def _look_again(self) -> None:
        self._watch = None
        self._give_up_late()
        if not self._jobs.empty():
            self._look()
        elif self._open:
            self._watch = self._loop.call_later(PATIENCE_S, self._look_again)

    def _give_up_late(self) -> None:
        """Have those asked whose time is over; they come in the order they were begun, so the first are late first."""
        while self._begun and (self._begun[0][1].done.done() or self._begun[0][0] <= monotonic()):
            settle(self._begun.popleft()[1].done, None)

    def _are_held_up(self) -> bool:
        late = monotonic() - PATIENCE_S
        return all(since is not None and since < late for since in self._since.copy().values())

    def _start(self) -> None:
        serve = self._help if self._since else self._serve
        thread = threading.Thread(target=serve, name=f"{self._name}-{len(self._since)}", daemon=True)
        self._since[thread] = None
        thread.start()

    def _serve(self) -> None:
        """The first thread: waits for work, and takes all that waits through its stages together."""
        crew = Crew()
        left: list[_Job | None] = []
        while (job := left.pop() if left else self._jobs.get()) is not None:
            with self._at_work():
                crew.in_step(partial(self._do, one) for one in self._waiting_with(job, left))
        crew.end()

    def _waiting_with(self, job: _Job, left: list[_Job | None]) -> Iterator[_Job]:
        """The job and those behind it, each taken when those before it have begun.

        Nobody who has begun waits for a long one: that is `left` for the next time, and so is the end.
        """
        yield job
        with contextlib.suppress(Empty):
            for _ in range(0 if job.is_long else TOGETHER - 1):
                following = self._jobs.get_nowait()
                if following is None or following.is_long:
                    left.append(following)
                    return
                yield following

    def _help(self) -> None:
        """Any other: ends when nothing waits."""
        try:
            while (job := self._jobs.get_nowait()) is not None:
                with self._at_work():
                    self._do(job)
        except Empty:
            pass
        finally:
            del self._since[threading.current_thread()]

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        thread = threading.current_thread()
        self._since[thread] = monotonic()
        yield
        self._since[thread] = None

    def _do(self, job: _Job) -> None:
        self._begin(job)
        if job.has_ended:
            self._tell(job)

    def _begin(self, job: _Job) -> None:
        """Do the work, or what of it is done here; what would end the loop raises less."""
        try:
            found = job.work()
            if isinstance(found, Later):
                job.outcome = found.begin(partial(self._end, job))
                self._begun.append((monotonic() + found.most_s, job))
                return
            job.outcome = lambda: found
        except Exception as error:  # any: it is not handled here but raised again where the work is waited for
            job.outcome = _raiser(error)
        except BaseException as error:  # any: SystemExit, say, ends a thread, but raised in the loop it would end that
            job.outcome = _raiser(RuntimeError(f"{type(error).__name__} in a thread"))
        job.has_ended = True

    def _end(self, job: _Job) -> None:
        """It has ended elsewhere, perhaps before the thread that began it knows what gives its result."""
        job.has_ended = True
        if job.outcome is not None:
            self._tell(job)

    def _tell(self, job: _Job) -> None:
        self._bell.ring(partial(settle, job.done, None))


def _raiser(error: Exception) -> Callable[[], Any]:
    def raise_it() -> Any:
        raise error

    return raise_it
