"""Threads that run blocking work for an event loop. They are daemons: a stuck one does not keep the process alive."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import NamedTuple, TypeAlias

Answers: TypeAlias = Sequence[bytes]
Work: TypeAlias = Callable[[], Answers]


class _Job(NamedTuple):
    work: Work
    done: asyncio.Future[Work]  # gives the result or raises


class ThreadPool:
    """So many threads at most, each started when work would wait for it; first come, first served."""

    def __init__(self, threads: int, *, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._most = threads
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._unfinished = 0  # jobs handed over; touched in the loop's thread only, like the list of threads

    async def run(self, work: Work) -> Answers:
        """What `work` returns or raises, from a thread."""
        self._unfinished += 1
        if len(self._threads) < min(self._unfinished, self._most):
            self._start()
        job = _Job(work, self._loop.create_future())
        job.done.add_done_callback(self._finished)
        self._jobs.put(job)
        return (await asyncio.shield(job.done))()

    def close(self) -> None:
        """Let the threads end once the work handed over is done; they are not waited for."""
        for _ in self._threads:
            self._jobs.put(None)

    def _finished(self, _done: asyncio.Future[Work]) -> None:
        self._unfinished -= 1

    def _start(self) -> None:
        thread = threading.Thread(target=self._serve, name=f"{self._name}-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            outcome = _outcome(job.work)
            try:
                self._loop.call_soon_threadsafe(job.done.set_result, outcome)
            except RuntimeError:  # the loop ended without waiting for this one: nobody is left to hear it
                return


def _outcome(work: Work) -> Work:
    """A function that gives what `work` gave, or raises what it raised; what would end the loop raises less."""
    try:
        result = work()
    except Exception as error:
        return _raiser(error)
    except BaseException as error:
        return _raiser(RuntimeError(f"{type(error).__name__} in a thread"))
    return lambda: result


def _raiser(error: Exception) -> Work:
    def raise_it() -> Answers:
        raise error

    return raise_it
