"""Work a process does by itself once a day."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

from cds_service import logs
from cds_service.errors import CdsError

log = logs.get_logger(__name__)

DAY_S = 24 * 3600.0
# Chosen by us: after the first calls, so that a start is not slowed, and soon again after a failure.
FIRST_S, AGAIN_S = 60.0, 600.0


class Daily:
    """Does the work a minute after it was started and every day from then on, until it is stopped.

    What the work raises is logged and does not end it: the next try comes.
    """

    def __init__(self, work: Callable[[], object], *, first_s: float = FIRST_S, every_s: float = DAY_S) -> None:
        self._work = work
        self._every_s = every_s
        self._stopping = Event()
        self.failures = 0
        self._thread = self._start(first_s)

    def stop(self) -> None:
        """Begin no more; work under way goes on to its end."""
        self._stopping.set()

    def _start(self, wait_s: float) -> Thread:
        thread = Thread(target=self._run, args=(wait_s,), name="cds-daily", daemon=True)
        thread.start()
        return thread

    def _run(self, wait_s: float) -> None:
        finished = False
        try:
            while not self._stopping.wait(wait_s):
                wait_s = self._once()
            finished = True
        finally:
            if not finished:
                self.failures += 1
                self._thread = self._start(min(AGAIN_S, self._every_s))

    def _once(self) -> float:
        """Do the work; the seconds until it is due again."""
        try:
            self._work()
        except CdsError as error:
            self.failures += 1
            log.warning("daily_work_failed", reason=error.text)
            return min(AGAIN_S, self._every_s)
        return self._every_s
