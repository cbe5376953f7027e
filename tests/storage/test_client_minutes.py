"""One limit for a client on each kind of database, whichever process it asks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cds_service.errors import Unavailable
from cds_service.monitoring.budget import ClientBudgets
from cds_service.services.share_minutes import share_minutes
from cds_service.storage.change import Change
from cds_service.storage.writer import GroupWriter
from tests.storage.builders import NOW

LIMIT = 10


class Process:
    """Budgets of one process, its clock, and what it is told by the database."""

    def __init__(self, writer: GroupWriter) -> None:
        self.now = NOW
        self.budgets = ClientBudgets(LIMIT, clock=lambda: self.now.timestamp())
        self._submit = writer.submit_change

    def calls(self, count: int, tenant: str = "north") -> list[int]:
        """What is left after each of so many calls; -1 for one that was refused."""
        used = [self.budgets.use(tenant, "ehr") for _ in range(count)]
        return [-1 if one.wait_s else one.remaining for one in used]

    def share(self) -> None:
        share_minutes(self.budgets, self._submit, self.now)


@pytest.fixture
def processes(writer: GroupWriter) -> tuple[Process, Process]:
    return Process(writer), Process(writer)


def test_processes_hold_a_client_to_one_limit(processes: tuple[Process, Process]) -> None:
    one, other = processes
    assert (one.calls(4), other.calls(3)) == ([9, 8, 7, 6], [9, 8, 7])

    one.share()
    other.share()

    assert other.calls(5) == [2, 1, 0, -1, -1]
    other.share()
    assert one.calls(1) == [5]  # it was told of its own four only
    one.share()
    assert one.calls(1) == [-1]
    assert one.calls(1, tenant="south") == [9]


def test_a_minute_begins_anew_for_all(processes: tuple[Process, Process]) -> None:
    one, other = processes
    one.calls(9)
    one.share()
    for process in processes:
        process.now += timedelta(seconds=61)

    other.calls(2)
    other.share()
    one.calls(1)
    one.share()

    assert (one.calls(1), other.calls(1)) == ([6], [7])


def test_what_could_not_be_told_is_told_later(
    processes: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = processes
    one.calls(4)
    with monkeypatch.context() as away:
        away.setattr(one, "_submit", unavailable)
        one.share()

    one.share()
    one.share()
    other.calls(1)
    other.share()

    assert other.calls(1) == [4]


def unavailable(_change: Change[object]) -> object:
    raise Unavailable("the database is away")
