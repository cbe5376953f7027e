"""Threads behind the event loop: one while it keeps up, more for those that would wait behind work that takes long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from cds_service.mllp.pool import Later, ThreadPool
from cds_service.stages import turn
from tests.mllp.conversing import PATIENCE_S


def in_pool(talk: Callable[[ThreadPool], Awaitable[object]], threads: int = 4) -> object:
    async def run() -> object:
        pool = ThreadPool(threads, name="test-pool")
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await talk(pool)
        finally:
            pool.close()

    return asyncio.run(run())


def test_quick_work_is_done_by_one_thread_in_its_order() -> None:
    done: list[int] = []
    threads: set[str] = set()

    def work(number: int) -> Callable[[], int]:
        def run() -> int:
            done.append(number)
            threads.add(threading.current_thread().name)
            return number

        return run

    async def talk(pool: ThreadPool) -> object:
        return [await pool.run(work(number)) for number in range(100)]

    assert in_pool(talk) == done == list(range(100))
    assert threads == {"test-pool-0"}


def test_work_behind_some_that_is_stuck_gets_another_thread_up_to_the_limit() -> None:
    free = threading.Event()

    async def talk(pool: ThreadPool) -> object:
        stuck = [asyncio.ensure_future(pool.run(lambda: free.wait(PATIENCE_S))) for _ in range(3)]
        others = [await pool.run(lambda number=number: number) for number in range(50)]  # type: ignore[misc]
        waiting = [one.done() for one in stuck]
        free.set()
        return others, waiting, await asyncio.gather(*stuck)

    assert in_pool(talk) == (list(range(50)), [False] * 3, [True] * 3)


def test_what_waits_at_the_same_time_goes_through_its_stages_together() -> None:
    seen: list[tuple[str, int]] = []
    free = threading.Event()

    def work(number: int) -> Callable[[], None]:
        def run() -> None:
            for stage in "ab":
                seen.append((stage, number))
                turn()

        return run

    async def talk(pool: ThreadPool) -> object:
        first = asyncio.ensure_future(pool.run(lambda: free.wait(PATIENCE_S)))
        others = [asyncio.ensure_future(pool.run(work(number), is_long=number == 2)) for number in range(4)]
        await asyncio.sleep(0)  # all are handed over
        free.set()
        await asyncio.gather(first, *others)
        return None

    in_pool(talk, threads=1)

    together, by_itself = [0, 1], 2
    assert seen[:4] == [(stage, number) for stage in "ab" for number in together]
    assert seen[4:6] == [(stage, by_itself) for stage in "ab"]


def test_what_work_raises_is_raised_where_it_is_awaited() -> None:
    def fail() -> None:
        raise ValueError("no")

    async def talk(pool: ThreadPool) -> object:
        with pytest.raises(ValueError, match="no"):
            await pool.run(fail)
        return await pool.run(lambda: "after")

    assert in_pool(talk) == "after"


def test_work_whose_caller_has_left_harms_nobody() -> None:
    begun, free = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        free.wait(PATIENCE_S)

    async def talk(pool: ThreadPool) -> object:
        left = asyncio.ensure_future(pool.run(work))
        await asyncio.to_thread(begun.wait, PATIENCE_S)
        left.cancel()
        free.set()
        return await pool.run(lambda: "after")

    assert in_pool(talk) == "after"


def test_work_that_ends_elsewhere_gives_its_result_once_it_has_ended() -> None:
    elsewhere: list[threading.Thread] = []

    def begin(ended: Callable[[], object]) -> Callable[[], str]:
        elsewhere.append(threading.Thread(target=ended))
        return lambda: "stored"

    async def talk(pool: ThreadPool) -> object:
        waiting = asyncio.ensure_future(pool.run(lambda: Later(begin, PATIENCE_S)))
        others = [await pool.run(lambda number=number: number) for number in range(20)]  # type: ignore[misc]
        was_done = waiting.done()
        elsewhere[0].start()
        return others, was_done, await waiting

    assert in_pool(talk) == (list(range(20)), False, "stored")


def test_work_that_has_ended_before_it_was_handed_over_gives_its_result() -> None:
    def begin(ended: Callable[[], object]) -> Callable[[], str]:
        ended()
        return lambda: "stored"

    async def talk(pool: ThreadPool) -> object:
        return await pool.run(lambda: Later(begin, PATIENCE_S))

    assert in_pool(talk) == "stored"


def test_work_that_never_ends_is_asked_when_its_time_is_over() -> None:
    def late() -> str:
        raise TimeoutError("given up")

    async def talk(pool: ThreadPool) -> object:
        with pytest.raises(TimeoutError, match="given up"):
            await pool.run(lambda: Later(lambda _ended: late, 0.05))
        return await pool.run(lambda: "after")

    assert in_pool(talk) == "after"


def test_a_handing_over_that_fails_is_raised_where_it_is_awaited() -> None:
    def begin(_ended: Callable[[], object]) -> Callable[[], str]:
        raise ValueError("no")

    async def talk(pool: ThreadPool) -> object:
        with pytest.raises(ValueError, match="no"):
            await pool.run(lambda: Later(begin, PATIENCE_S))
        return await pool.run(lambda: "after")

    assert in_pool(talk) == "after"
