"""The keys of registered clients, kept fresh: a rotated key is taken, and a removed one refused, without a restart.

What is cached is only ever replaced by a sound set: a file half written, or a key server that is down, leaves the
keys as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import BoundedSemaphore, Lock
from time import monotonic

from cds_service import logs
from cds_service.cdshooks.key_source import Key, KeySource, UnusableKeys
from cds_service.errors import Unavailable
from cds_service.stages import apart

log = logs.get_logger(__name__)

# Chosen by us. A file costs one look at its time of change; a key server is asked seldom, a little sooner for a key
# it was not seen to have, and never once a request.
FILE_AGE_S = 1.0
FETCHED_AGE_S = 300.0
RETRY_S = 30.0
BYTES_LIMIT = 256 * 1024
# Of the eight threads that answer requests half may be here: anyone can name a key nobody has, and a slow key server
# takes its time. Who comes after them is told to come back in a second.
WAITING_LIMIT = 3


class KeyServerFailed(Exception):
    """The key server gave nothing that can be used; the text says why."""


@dataclass(slots=True)
class _Kept:
    keys: Mapping[str, Key] = field(default_factory=dict)
    looked_at: float = float("-inf")
    version: object = None
    lock: Lock = field(default_factory=Lock)


class KeyStore:
    """Keys by source. `fetch` brings the bytes at an address, or raises KeyServerFailed."""

    def __init__(self, fetch: Callable[[str], bytes], *, clock: Callable[[], float] = monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[KeySource, _Kept] = {}
        self._waiting = BoundedSemaphore(WAITING_LIMIT)

    def find(self, sources: Sequence[KeySource], key_id: str) -> Key | None:
        """The client's key of this id in any of its sets; one known to hold it does not wait for the others."""
        for source in sorted(sources, key=lambda one: one not in self._kept or key_id not in self._kept[one].keys):
            if (found := self.key(source, key_id)) is not None:
                return found
        return None

    def key(self, source: KeySource, key_id: str) -> Key | None:
        """The key of this id in one set; None when it has none, Unavailable when too many wait to know."""
        kept = self._kept.setdefault(source, _Kept())
        age = self._clock() - kept.looked_at
        is_known = key_id in kept.keys
        if age > (FILE_AGE_S if source.file else FETCHED_AGE_S if is_known else RETRY_S):
            apart(partial(self._refresh, source, kept, must_wait=not is_known))
        return kept.keys.get(key_id)

    def _refresh(self, source: KeySource, kept: _Kept, *, must_wait: bool) -> None:
        """Look again. One caller looks; others wait for it only where they cannot go on without."""
        before = kept.looked_at
        if not kept.lock.acquire(blocking=False):
            if not must_wait:
                return
            self._wait_for(source, kept.lock)
        try:
            if kept.looked_at != before:
                return  # somebody looked while we waited
            self._look(source, kept)
        except (OSError, KeyServerFailed, UnusableKeys) as error:
            reason = type(error).__name__ if isinstance(error, OSError) else str(error)
            log.warning("client_keys_not_read", reason=reason, count=len(kept.keys))
        finally:
            if kept.looked_at == before:
                kept.looked_at = self._clock()  # now, so that who comes meanwhile waits instead of being refused
            kept.lock.release()

    def _wait_for(self, source: KeySource, lock: Lock) -> None:
        """Take the lock of a look that is under way: a file's is short, a key server's is waited for by few."""
        if source.file is not None:
            lock.acquire()
            return
        if not self._waiting.acquire(blocking=False):
            raise Unavailable("too many calls wait for a client's keys", where="jku", retry_after_s=1)
        try:
            lock.acquire()
        finally:
            self._waiting.release()

    def _look(self, source: KeySource, kept: _Kept) -> None:
        if source.file is not None:
            found = source.file.stat()
            version: object = (found.st_mtime_ns, found.st_size, found.st_ino)
            if version == kept.version:
                return
            body = source.file.read_bytes()
        elif source.address is not None:
            version, body = None, self._fetch(source.address)
        else:
            return
        if len(body) > BYTES_LIMIT:
            raise UnusableKeys("too large")
        from cds_service.cdshooks.jwks import keys_from_document  # loaded when a client first shows a token

        kept.keys, kept.version = keys_from_document(body), version
