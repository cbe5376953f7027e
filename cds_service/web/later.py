"""What a service is ready without, loaded once it is ready: until then whoever asks for that waits.

A chart that is opened needs a tenth of the addresses; the pages, the other doors and their schemas are half of what a
start imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Event, Thread
from typing import Any

from cds_service import logs
from cds_service.errors import Unavailable
from cds_service.web.problems import problem_response
from cds_service.web.wsgi_call import Application, Environ

log = logs.get_logger(__name__)

# Chosen by us: time to say for the first time that the service is ready, before loading takes the processor from it.
BEGIN_AFTER_S = 0.25
# Chosen by us: twenty times what loading takes; who asks meanwhile is told to come back.
WAIT_S = 15.0


class WholeLater:
    """WSGI application: `first` answers its addresses until the whole one is there, and any other address waits.

    `load` gives the whole one. What it raises is logged, and the service is not ready from then on.
    """

    def __init__(
        self, first: Application, addresses: frozenset[str], load: Callable[[], Application], *, wait_s: float = WAIT_S
    ) -> None:
        self._first = first
        self._addresses = addresses
        self._load = load
        self._wait_s = wait_s
        self._whole: Application | None = None
        self._asked, self._ended = Event(), Event()

    def start(self) -> None:
        """Load soon in a thread of its own, at once when somebody asks."""
        Thread(target=self._run, name="cds-later", daemon=True).start()

    def problem(self) -> str:
        """What is wrong, for /readyz; empty where the whole application is there, or will be."""
        return "could not be loaded" if self._ended.is_set() and self._whole is None else ""

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The answer; that of Unavailable for an address that had to wait in vain."""
        application = self._whole or self._before(environ["PATH_INFO"])
        return application(environ, start_response)

    def _before(self, path: str) -> Application:
        if path in self._addresses:
            return self._first
        self._asked.set()
        self._ended.wait(self._wait_s)
        return self._whole or problem_response(Unavailable("this address is not ready"), path)

    def _run(self) -> None:
        self._asked.wait(BEGIN_AFTER_S)
        try:
            self._whole = self._load()
        except Exception as error:  # whatever is wrong with a module nobody waits for
            log.error("application_not_loaded", exception=type(error).__name__, frames=logs.frames(error))
        finally:
            self._ended.set()
