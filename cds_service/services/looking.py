"""A thread that looks at something again and again, and is replaced should it die."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

from cds_service import logs

log = logs.get_logger(__name__)


class Looking:
    """Calls `look` every so often from `start` to `stop`."""

    def __init__(self, look: Callable[[], None], *, name: str, every_s: float) -> None:
        self._look = look
        self._name = name
        self._every_s = every_s
        self._stopping = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Look for the first time after one interval."""
        self._thread = Thread(target=self._run, name=f"cds-{self._name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(self._every_s)

    def _run(self) -> None:
        """Look until stopped. Should something nobody foresaw end the thread, another one takes over."""
        try:
            while not self._stopping.wait(self._every_s):
                self._look()
        finally:
            if not self._stopping.is_set():
                log.error(f"{self._name}_restarted")
                self.start()
