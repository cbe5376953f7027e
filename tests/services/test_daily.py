from __future__ import annotations

from threading import Event

import pytest

from cds_service.errors import Unavailable
from cds_service.services.daily import Daily


class Work:
    """Counts how often it was done, and fails as told."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.done = 0
        self.enough = Event()

    def __call__(self) -> None:
        self.done += 1
        if self.done >= 3:
            self.enough.set()
        if self.failures:
            raise self.failures.pop()


@pytest.mark.parametrize("failures", [(), (Unavailable("away", where="database"),)], ids=["fine", "database away"])
def test_work_is_done_again_and_again_whatever_became_of_it(failures: tuple[Exception, ...]) -> None:
    work = Work(*failures)
    daily = Daily(work, first_s=0, every_s=0.01)

    assert work.enough.wait(5)
    daily.stop()
    assert daily.failures == len(failures)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_nobody_foresaw_does_not_end_it() -> None:
    work = Work(ZeroDivisionError())
    daily = Daily(work, first_s=0, every_s=0.01)
    dying = daily._thread

    assert work.enough.wait(5)
    dying.join(5)
    daily.stop()
    assert daily.failures == 1
