"""The one thread of a process that writes: it commits what is waiting as one group, and callers wait for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import TypeVar, cast

from sqlalchemy import Engine, text, update

from cds_service.errors import Unavailable
from cds_service.stages import turn, waiting
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Change
from cds_service.storage.group import GroupCommit
from cds_service.storage.identity import IdentityRows, Keyring
from cds_service.storage.link import WriterLink
from cds_service.storage.pending import Pending, pending_change, pending_event, pending_prediction
from cds_service.storage.prediction_log import PredictionEntry, StoredReply
from cds_service.storage.tables import audit_head
from cds_service.storage.token_log import TokenUse

T = TypeVar("T")

# Chosen by us: two busy timeouts fit into the deadline; a full queue is cleared well within it.
DEADLINE_S = 2.0
QUEUE_LIMIT = 1024
GROUP_LIMIT = 512
# Of changes made one by one fewer go into a group: each is some ten statements, and all are waited for under one lock.
ALONE_LIMIT = 128
PROBE_EVERY_S = 0.5
# A pause before the thread is replaced, so that a lasting fault does not spin.
RESTART_S = 0.1
# While several callers come at a time, waiting this long after the first makes groups about twice as large and
# halves what a row costs; a caller alone never waits. Measured in docs/decisions/storage-writer.md.
GATHER_S = 0.001
# Changes made together are messages, which come to their end some at a time: those of one such round in this time. Much
# longer and all senders wait for the same commit. Measured in docs/decisions/mllp-listener.md.
GATHER_TOGETHER_S = 0.002

_TAKE_NOTE = update(audit_head).values(probes=text("probes + 1"))


class GroupWriter:
    """Stores entries durably, many in one transaction, each caller answered after its commit.

    A caller that is told `Unavailable` does not know whether its entry was committed: the commit may have
    been under way. Repeating the request with the same `hook_instance` gives the stored reply if it was.
    """

    def __init__(self, engine: Engine, keyring: Keyring, *, deadline_s: float = DEADLINE_S) -> None:
        self._engine = engine
        self.deadline_s = deadline_s
        self.identities = IdentityRows(keyring)
        self._commit = GroupCommit(engine.dialect, keyring, self.identities)
        self._link = WriterLink(engine)
        self._queue: SimpleQueue[Pending | None] = SimpleQueue()
        self._of_a_round: deque[Pending] = deque()  # of calls that go through their stages together, not yet queued
        self._closing = False
        self._available = False
        self._away = ""  # why the database took nothing when it was last asked; callers need not wait to hear it
        self._busy = False
        self.restarts = 0
        self._thread = self._start()

    def submit(self, entry: PredictionEntry) -> StoredReply:
        """Store the prediction and return after its commit: its own reply, or the one stored first under its key.

        Raises `Conflict` when that key came with another request, `BadRequest` when a value cannot be
        stored, `Unavailable` when the queue is full, the deadline passed or the database is away.
        """
        pending = pending_prediction(entry, self.identities)
        self._wait_for(pending)
        if pending.reply is None:
            raise Unavailable("no reply was stored", where="writer")
        return pending.reply

    def submit_audit(self, event: AuditEvent, *, token: TokenUse | None = None) -> None:
        """Record the event and return after its commit; a read leaves only then. Raises as `submit`."""
        self._wait_for(pending_event(event, token=token))

    def submit_change(self, change: Change[T], *, token: TokenUse | None = None) -> T:
        """Apply the change and return its result after the commit.

        Raises the change's own CdsError, `Conflict` or `BadRequest` for what a constraint or a value forbids,
        `Unavailable` as `submit`.
        """
        pending = pending_change(change, token)
        self._wait_for(pending)
        return cast(T, _result(pending))

    def begin_change(self, change: Change[T], settled: Callable[[], object]) -> Callable[[], T]:
        """Hand the change over and return at once; `settled` is called, from any thread, when it is committed or not.

        What is returned then gives the result or raises, as `submit_change`; asked before, it gives the change up.
        """
        pending = pending_change(change, None)
        pending.done = settled
        try:
            self._require_room()
            self._queue.put(pending)
        except Unavailable as error:
            pending.error = error
            _let_go(pending)
        return lambda: cast(T, _result(pending))

    def healthy(self) -> bool:
        """Whether the thread lives and the database took its last transaction; recovers without traffic."""
        return self._available and not self._closing and self._thread.is_alive()

    def waiting(self) -> int:
        """How many entries wait to be taken."""
        return self._queue.qsize()

    def drain(self, timeout_s: float = 10.0) -> bool:
        """Refuse new entries, commit what is queued and stop; whether that was done in time."""
        self._closing = True
        self._queue.put(None)
        end = monotonic() + timeout_s
        while self._thread.is_alive() and monotonic() < end:
            self._thread.join(end - monotonic())
        return not self._thread.is_alive()

    def _wait_for(self, pending: Pending) -> None:
        """Return once it is committed; raises what became of it otherwise."""
        commit = waiting()
        pending.done = commit.settle
        self._require_room()
        self._of_a_round.append(pending)
        turn()  # so that all calls of a round are committed as one group, however long they take to get here
        with suppress(IndexError):
            while True:
                self._queue.put(self._of_a_round.popleft())
        commit.until(self.deadline_s)
        _require_stored(pending)

    def _require_room(self) -> None:
        if self._closing:
            raise Unavailable("shutting down", where="writer")
        if self._queue.qsize() >= QUEUE_LIMIT:
            raise Unavailable("too many entries are waiting", where="writer")
        if self._away:
            raise Unavailable(self._away, where="database")

    def _start(self) -> Thread:
        thread = Thread(target=self._run, name="cds-writer", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        """Serve until drained. Should something nobody foresaw end the thread, another one takes over."""
        finished = False
        try:
            self._serve()
            finished = True
        finally:
            self._link.close()
            if not finished:
                self._available = False
                self.restarts += 1
                sleep(RESTART_S)
                self._thread = self._start()

    def _serve(self) -> None:
        self._probe()
        while not (self._closing and self._queue.empty()):
            group = self._next_group()
            live = [pending for pending in group if pending is not None and not pending.abandoned]
            self._busy = len(live) > 1
            if live:
                self._write(live)
            elif not group:
                self._probe()

    def _next_group(self) -> list[Pending | None]:
        """What is waiting, at once; empty when nothing came and the database must be looked after."""
        group: list[Pending | None] = []
        alone = 1  # as if the first were one
        try:
            first = self._queue.get(timeout=None if self._available else PROBE_EVERY_S)
            group.append(first)
            if self._busy:
                sleep(GATHER_TOGETHER_S if first is not None and first.goes_together else GATHER_S)
            while len(group) < GROUP_LIMIT and alone < ALONE_LIMIT:
                pending = self._queue.get_nowait()
                alone += pending is not None and pending.change is not None and not pending.goes_together
                group.append(pending)
        except Empty:
            return group
        return group

    def _write(self, group: list[Pending]) -> None:
        """Commit the group and let its callers go, whatever happens."""
        failure: str | None = "the writer failed"
        try:
            self._commit.write(self._link, group)
            failure = None
        except Unavailable as error:
            failure = self._away = error.text
        finally:
            self._settle(group, failure)

    def _settle(self, group: list[Pending], failure: str | None) -> None:
        self._available = failure is None
        if failure is None:
            self._away = ""
        else:
            self.identities.forget()
        for pending in group:
            if failure is not None:
                pending.error = Unavailable(failure, where="database")
            elif pending.error is None:
                for known in pending.stored_identities:
                    self.identities.remember(*known)
            _let_go(pending)

    def _probe(self) -> None:
        """Find out whether the database takes a write, so that recovery needs no traffic."""
        try:
            with self._link.transaction() as connection:
                connection.execute(_TAKE_NOTE)
            self._available, self._away = True, ""
        except Unavailable as error:
            self._available, self._away = False, error.text


def _let_go(pending: Pending) -> None:
    pending.is_settled = True
    pending.done()


def _require_stored(pending: Pending) -> None:
    """Raise what kept it from being stored; what is not settled yet is given up."""
    if not pending.is_settled:
        pending.abandoned = True
        raise Unavailable("the database did not answer in time", where="writer")
    if pending.error is not None:
        raise pending.error


def _result(pending: Pending) -> object:
    _require_stored(pending)
    if pending.applied is None:
        raise Unavailable("the change was not applied", where="writer")
    return pending.applied.result
