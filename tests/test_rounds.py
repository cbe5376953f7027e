"""Calls that go through their stages together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic

import pytest
from greenlet import getcurrent

from cds_service import rounds
from cds_service.rounds import Rounds
from cds_service.stages import apart, turn, waiting

name_of_call = ContextVar("name_of_call", default="nobody")


@contextmanager
def running() -> Iterator[Rounds]:
    made = Rounds("test-rounds")
    yield made
    made.end(5.0)


def done(works: list[Callable[[], object]]) -> None:
    """Run them as calls of one round: the first holds the thread until all are there."""
    all_here = threading.Event()
    with running() as made:
        made.begin(all_here.wait)
        for work in works:
            made.begin(work)
        all_here.set()


def test_no_call_goes_further_before_all_of_its_round_are_as_far():
    seen: list[tuple[int, str]] = []

    def call(stage_names: str, number: int) -> None:
        for stage in stage_names:
            seen.append((number, stage))
            turn()

    done([lambda number=number: call("abc", number) for number in range(3)])

    assert seen == [(number, stage) for stage in "abc" for number in range(3)]


def test_a_call_that_stands_aside_keeps_nobody_and_goes_on_when_it_is_settled():
    seen: list[str] = []
    held = []

    def first() -> None:
        held.append(waiting())
        held[0].until(5.0)
        seen.append("first")

    def second() -> None:
        seen.append("second")
        threading.Thread(target=held[0].settle).start()

    done([first, second])

    assert seen == ["second", "first"]


def test_a_new_call_begins_once_those_about_to_come_back_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "HOLD_S", 60.0)
    seen: list[str] = []
    stands_aside, all_done = threading.Event(), threading.Event()
    held = []

    def first() -> None:
        held.append(waiting())
        stands_aside.set()
        held[0].until(50.0)
        seen.append("came back")
        turn()
        seen.append("ended")

    def second() -> None:
        seen.append("began")
        all_done.set()

    with running() as made:
        made.begin(first)
        assert stands_aside.wait(5.0)
        made.begin(second)
        held[0].settle()
        assert all_done.wait(5.0)

    assert seen == ["came back", "ended", "began"]


def test_new_calls_that_fill_a_round_wait_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "HOLD_S", 60.0)
    monkeypatch.setattr(rounds, "TOGETHER", 2)
    stands_aside, come_back = threading.Event(), threading.Event()
    held = []

    def first() -> None:
        held.append(waiting())
        stands_aside.set()
        held[0].until(50.0)
        come_back.set()

    with running() as made:
        made.begin(first)
        assert stands_aside.wait(5.0)
        made.begin(held[0].settle)
        made.begin(lambda: None)

        assert come_back.wait(5.0)


def test_what_is_settled_before_anybody_waits_is_not_missed():
    seen: list[float] = []

    def call() -> None:
        wait = waiting()
        wait.settle()
        begun = monotonic()
        wait.until(5.0)
        seen.append(monotonic() - begun)

    done([call])

    assert seen[0] < 4.0


def test_a_wait_ends_at_its_time_and_a_late_answer_wakes_nobody():
    seen: list[float] = []
    late = []

    def call() -> None:
        late.append(waiting())
        begun = monotonic()
        late[0].until(0.05)
        seen.append(monotonic() - begun)
        again = waiting()
        late[0].settle()
        begun = monotonic()
        again.until(0.05)
        seen.append(monotonic() - begun)

    done([call])

    assert len(seen) == 2
    assert min(seen) >= 0.05


def test_what_takes_its_time_is_done_by_a_thread_in_the_context_of_its_call():
    seen: list[tuple[str, str]] = []

    def call(name: str) -> None:
        name_of_call.set(name)
        thread = threading.current_thread()
        seen.append((name, apart(lambda: name_of_call.get() if threading.current_thread() is not thread else "")))

    done([lambda: call("one"), lambda: call("two")])

    assert sorted(seen) == [("one", "one"), ("two", "two")]


def test_one_call_sees_nothing_of_anothers_context():
    seen: list[str] = []

    def call(name: str) -> None:
        seen.append(name_of_call.get())
        name_of_call.set(name)
        turn()
        seen.append(name_of_call.get())

    done([lambda: call("one"), lambda: call("two")])

    assert seen == ["nobody", "nobody", "one", "two"]


def test_a_call_sees_nothing_of_the_one_whose_stack_it_takes_over():
    seen: list[tuple[int, str]] = []

    def call(name: str) -> None:
        seen.append((id(getcurrent()), name_of_call.get()))
        name_of_call.set(name)
        turn()

    with running() as made:
        for name in ("one", "two"):
            has_ended = threading.Event()
            made.begin(lambda name=name, has_ended=has_ended: (call(name), has_ended.set()))
            has_ended.wait(5.0)

    assert [name for _, name in seen] == ["nobody", "nobody"]
    assert len({stack for stack, _ in seen}) == 1


def test_while_one_call_has_work_done_apart_the_others_are_answered():
    may_end = threading.Event()
    seen: list[str] = []

    def slow() -> None:
        apart(lambda: may_end.wait(5.0))
        seen.append("slow")

    def quick() -> None:
        seen.append("quick")
        may_end.set()

    done([slow, quick])

    assert seen == ["quick", "slow"]


def test_what_work_done_apart_raises_is_raised_where_it_was_asked_for():
    seen: list[str] = []

    def fail() -> None:
        raise LookupError("gone")

    def call() -> None:
        with pytest.raises(LookupError, match="gone"):
            apart(fail)
        seen.append("told")

    done([call])

    assert seen == ["told"]


def test_a_call_that_fails_takes_no_other_along():
    seen: list[str] = []

    def fail() -> None:
        turn()
        raise LookupError("Jane Doe")

    def call() -> None:
        turn()
        seen.append("done")

    done([fail, call, call])

    assert seen == ["done", "done"]


def test_only_so_many_calls_have_begun_at_a_time(monkeypatch):
    monkeypatch.setattr(rounds, "UNDER_WAY", 2)
    begun: list[int] = []
    held = []

    def call(number: int) -> None:
        begun.append(number)
        held.append(waiting())
        held[-1].until(5.0)

    with running() as made:
        for number in range(3):
            made.begin(lambda number=number: call(number))
        deadline = monotonic() + 5.0
        while made.waiting() != 1 and monotonic() < deadline:
            pass
        before = list(begun)
        for wait in list(held):
            wait.settle()
        while len(held) < 3 and monotonic() < deadline:
            pass
        held[-1].settle()

    assert (before, begun) == ([0, 1], [0, 1, 2])


def test_a_round_that_does_not_end_is_noticed_and_who_waits_for_it_is_given_back(monkeypatch):
    monkeypatch.setattr(rounds, "PATIENCE_S", 0.05)
    may_end, has_begun = threading.Event(), threading.Event()
    seen: list[str] = []

    def stuck() -> None:
        has_begun.set()
        may_end.wait(5.0)

    with running() as made:
        before = made.keeps_up()
        made.begin(stuck)
        has_begun.wait(5.0)
        made.begin(lambda: seen.append("given back"))
        deadline = monotonic() + 5.0
        while made.keeps_up() and monotonic() < deadline:
            pass
        during = made.keeps_up()
        for work in made.give_back():
            work()
        may_end.set()
        while not made.keeps_up() and monotonic() < deadline:
            pass
        after = made.keeps_up()

    assert (before, during, after) == (True, False, True)
    assert seen == ["given back"]


def test_outside_a_call_a_thread_does_what_it_would_do_anyway():
    turn()
    wait = waiting()
    threading.Thread(target=wait.settle).start()
    begun = monotonic()
    wait.until(5.0)

    assert monotonic() - begun < 4.0
    assert apart(threading.current_thread) is threading.current_thread()


def test_at_the_end_every_call_that_was_taken_is_done():
    seen: list[int] = []
    made = Rounds("test-rounds")
    for number in range(200):
        made.begin(lambda number=number: (turn(), seen.append(number)))
    made.end(5.0)

    assert sorted(seen) == list(range(200))
