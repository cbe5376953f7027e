"""Budgets and waits, by a clock that is set by hand."""

from __future__ import annotations

from cds_service.monitoring import budget
from cds_service.monitoring.budget import ClientBudgets, LoginBackoff, MinuteBudget


class Hands:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_budget_is_used_up_and_there_again_after_its_minute() -> None:
    clock = Hands()
    minute = MinuteBudget(2, clock=clock)

    used = [minute.use() for _ in range(3)]
    clock.now += 59.5
    late = minute.use()
    clock.now += 0.5

    assert [(one.remaining, one.wait_s) for one in used] == [(1, 0), (0, 0), (0, 60)]
    assert (late.wait_s, late.reset_s) == (1, 1)
    assert minute.take()


def test_each_client_has_a_budget_of_its_own() -> None:
    budgets = ClientBudgets(1, clock=Hands())

    waits = [budgets.use(*who).wait_s for who in (("north", "a"), ("north", "b"), ("south", "a"), ("north", "a"))]

    assert waits == [0, 0, 0, 60]


def fail(backoff: LoginBackoff, name: str, times: int) -> None:
    for _ in range(times):
        backoff.note(name, succeeded=False)


def test_the_wait_doubles_with_each_failure_up_to_a_minute() -> None:
    backoff, waits = LoginBackoff(clock=Hands()), []

    for _ in range(13):
        fail(backoff, "ada", 1)
        waits.append(backoff.wait_s("ada"))

    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_wait_ends_and_a_success_forgives() -> None:
    clock = Hands()
    backoff = LoginBackoff(clock=clock)
    fail(backoff, "ada", 7)

    clock.now += 4
    ended = backoff.wait_s("ada")
    backoff.note("ada", succeeded=True)
    fail(backoff, "ada", 4)

    assert (ended, backoff.wait_s("ada"), backoff.wait_s("bob")) == (0, 0, 0)


def test_names_by_the_thousand_push_out_the_oldest_only() -> None:
    backoff = LoginBackoff(clock=Hands())
    fail(backoff, "old", 9)

    for number in range(budget._NAMES_MAX - 1):
        fail(backoff, f"n{number}", 1)
    before = backoff.wait_s("old")
    fail(backoff, "one more", 1)

    assert (before, backoff.wait_s("old"), len(backoff._failures)) == (16, 0, budget._NAMES_MAX)
