"""Threads that run blocking work for an event loop. They are daemons: a stuck one does not keep the process alive."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

# Chosen by us: many times what a message takes, and little to wait behind one that takes long.
PATIENCE_S = 0.02


class _Job(NamedTuple):
    work: Callable[[], Any]
    done: asyncio.Future[Callable[[], Any]]  # gives the result or raises


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

    The interpreter runs one thread at a time: a thread for each message makes them take turns, which costs more than
    the message does, and makes none sooner. Only work that takes long is worth a thread beside it.
    """

    def __init__(self, threads: int, *, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self.bell = Bell()
        self._most = threads
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._since: dict[threading.Thread, float | None] = {}  # when each began what it is at
        self._watch: asyncio.TimerHandle | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises, from a thread."""
        job = _Job(work, self._loop.create_future())
        self._jobs.put(job)
        self._look()
        found: T = (await job.done)()
        return found

    def close(self) -> None:
        """Let the threads end once the work handed over is done; they are not waited for."""
        for _ in self._since.copy():
            self._jobs.put(None)

    def _look(self) -> None:
        """Start another thread where all are held up, and look again while work waits."""
        if len(self._since) < self._most and self._are_held_up():
            self._start()
        if self._watch is None:
            self._watch = self._loop.call_later(PATIENCE_S, self._look_again)

    def _look_again(self) -> None:
        self._watch = None
        if not self._jobs.empty():
            self._look()

    def _are_held_up(self) -> bool:
        late = monotonic() - PATIENCE_S
        return all(since is not None and since < late for since in self._since.copy().values())

    def _start(self) -> None:
        serve = self._help if self._since else self._serve
        thread = threading.Thread(target=serve, name=f"{self._name}-{len(self._since)}", daemon=True)
        self._since[thread] = None
        thread.start()

    def _serve(self) -> None:
        """The first thread: waits for work."""
        while (job := self._jobs.get()) is not None:
            self._do(job)

    def _help(self) -> None:
        """Any other: ends when nothing waits."""
        try:
            while (job := self._jobs.get_nowait()) is not None:
                self._do(job)
        except Empty:
            pass
        finally:
            del self._since[threading.current_thread()]

    def _do(self, job: _Job) -> None:
        thread = threading.current_thread()
        self._since[thread] = monotonic()
        outcome = _outcome(job.work)
        self._since[thread] = None
        self.bell.ring(partial(settle, job.done, outcome))


def _outcome(work: Callable[[], Any]) -> Callable[[], Any]:
    """A function that gives what `work` gave, or raises what it raised; what would end the loop raises less."""
    try:
        result = work()
    except Exception as error:
        return _raiser(error)
    except BaseException as error:
        return _raiser(RuntimeError(f"{type(error).__name__} in a thread"))
    return lambda: result


def _raiser(error: Exception) -> Callable[[], Any]:
    def raise_it() -> Any:
        raise error

    return raise_it
