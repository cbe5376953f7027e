"""A deadline that is moved on with every message, and looked at by one timer."""

import asyncio

from cds_service.mllp.deadline import Deadline

_LONG_S = 600.0


def late_after(*moves: float | None) -> list[str]:
    """What a deadline did within 0.1 s of these moves, in seconds from now; None lifts it."""
    said: list[str] = []

    async def run() -> None:
        deadline = Deadline(lambda: said.append("late"))
        now = asyncio.get_running_loop().time()
        for move in moves:
            if move is None:
                deadline.lift()
            else:
                deadline.set(now + move)
        await asyncio.sleep(0.1)
        deadline.close()

    asyncio.run(run())
    return said


def test_what_does_not_happen_in_time_is_late_once() -> None:
    assert late_after(0.01) == ["late"]


def test_what_has_happened_is_never_late() -> None:
    assert late_after(0.01, None) == []


def test_a_deadline_that_is_moved_on_waits_for_the_later_moment() -> None:
    assert late_after(0.01, _LONG_S) == []
    assert late_after(0.01, 0.03) == ["late"]


def test_a_deadline_that_is_brought_forward_does_not_wait_for_the_later_moment() -> None:
    assert late_after(_LONG_S, 0.01) == ["late"]
