from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Event

import pytest

from cds_service.domain.codes import CodeTables
from cds_service.errors import Unavailable
from cds_service.inference.predictor import Predictor
from cds_service.services.daily import Daily
from tests.conftest import started


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


def test_a_service_forgets_by_itself_once_it_is_told_how_long_to_keep(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = Event()
    monkeypatch.setattr("cds_service.beside.Daily", partial(Daily, first_s=0))
    monkeypatch.setattr("cds_service.beside.forget_what_is_old", lambda *_, **__: forgotten.set())

    with started(tmp_path, empty_database, predictor, tables, CDS_RETENTION_DAYS="30") as service:
        assert forgotten.wait(5)
        daily = service.runtime.beside.daily

    assert daily is not None
    assert daily._stopping.is_set()


def test_a_service_that_keeps_everything_does_nothing_daily(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables
) -> None:
    with started(tmp_path, empty_database, predictor, tables, CDS_MESSAGE_RETENTION_DAYS="0") as service:
        assert service.runtime.beside.daily is None
