"""The clients file while the service runs: a client that is added, changed or removed counts without a restart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from time import monotonic

from cds_service import logs
from cds_service.errors import ConfigurationError
from cds_service.settings import Settings
from cds_service.settings.clients import Clients, clients_from_file

log = logs.get_logger(__name__)

# Chosen by us, as for files of keys: one look at the time of change a second is not noticed.
EVERY_S = 1.0


class FollowedClients:
    """The clients of a file as it is now; one that will not do, or is not there, leaves them as they were."""

    def __init__(self, path: Path, first: Clients, *, allow_http: bool, clock: Callable[[], float] = monotonic) -> None:
        self._path = path
        self._allow_http = allow_http
        self._clock = clock
        self._clients = first
        self._version: object = None
        self._looked_at = float("-inf")
        self._lock = Lock()

    def current(self) -> Clients:
        """Looks at the file where that is due; whoever comes meanwhile gets what was known before."""
        if self._clock() - self._looked_at >= EVERY_S and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looked_at = self._clock()
                self._lock.release()
        return self._clients

    def _look(self) -> None:
        version = _version(self._path)
        if version == self._version:
            return
        self._version = version
        try:
            found = clients_from_file(self._path, allow_http=self._allow_http)
        except ConfigurationError as error:
            log.warning("clients_not_read", reason=error.text)
            return
        if found != self._clients:
            self._clients = found
            log.info("clients_read", count=len(found.http))


def followed_clients(settings: Settings) -> FollowedClients | None:
    """The clients of the settings' file as it changes; None where they name none."""
    if settings.clients_file is None:
        return None
    return FollowedClients(settings.clients_file, settings.clients, allow_http=settings.allow_http_fhir)


def _version(path: Path) -> object:
    """What changes when the file does."""
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_size, found.st_ino
