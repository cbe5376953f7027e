"""The clients' side of the story: what was asked and what was acknowledged, held against what the database says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from bench.bodies import hook_body, hook_instance, numbered
from bench.client import Connection, post
from tests.databases import Database

HOOK = "/cds-services/vitals-risk"


class Ledger:
    """Hooks by number: the same bytes whenever one is asked again."""

    CALLS = 1  # for each number

    def __init__(self) -> None:
        self._body = hook_body()
        self._lock = Lock()
        self.asked = 0
        self.acknowledged: dict[int, bytes] = {}
        self.statuses: Counter[int] = Counter()
        self.changed: set[int] = set()

    def next_number(self) -> int:
        with self._lock:
            self.asked += 1
            return self.asked - 1

    def body(self, number: int) -> bytes:
        return numbered(self._body, number)

    def request(self, number: int) -> bytes:
        return post(HOOK, self.body(number))

    def ask(self, number: int, connection: Connection) -> None:
        """Ask this hook and keep the answer."""
        self.note(number, *connection.call(self.request(number)))

    def note(self, number: int, status: int, reply: bytes) -> None:
        """Keep an answer; a reply that differs from the one acknowledged before is remembered as changed."""
        with self._lock:
            self.statuses[status] += 1
            if status == 200 and self.acknowledged.setdefault(number, reply) != reply:
                self.changed.add(number)

    def unanswered(self) -> list[int]:
        return [number for number in range(self.asked) if number not in self.acknowledged]


class Load:
    """Clients on keep-alive connections of their own; each first repeats what is in `repeats`, then asks anew."""

    def __init__(
        self, ledger: Ledger, port: int, *, clients: int, repeats: Iterable[int] = (), new: bool = True
    ) -> None:
        self._ledger = ledger
        self._port = port
        self._new = new
        self._repeats: SimpleQueue[int] = SimpleQueue()
        for number in repeats:
            self._repeats.put(number)
        self.timeouts = 0
        self.stopping = False
        self._threads = [Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until every client is through or has lost its connection."""
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        try:
            with closing(Connection(self._port)) as connection:
                while not self.stopping and (number := self._number()) is not None:
                    self._ledger.ask(number, connection)
        except TimeoutError:
            self.timeouts += 1
        except OSError:
            return  # the service is gone: what was asked stays unanswered

    def _number(self) -> int | None:
        try:
            return self._repeats.get_nowait()
        except Empty:
            return self._ledger.next_number() if self._new else None


def stored_replies(database: Database) -> dict[str, list[bytes]]:
    """Every stored reply by its hookInstance."""
    found: dict[str, list[bytes]] = {}
    for instance, reply in database.rows("SELECT hook_instance, reply FROM predictions"):
        found.setdefault(instance, []).append(reply)
    return found


def lost_or_changed(database: Database, ledger: Ledger) -> list[int]:
    """Numbers that were acknowledged and do not have exactly one row with exactly the acknowledged bytes."""
    stored = stored_replies(database)
    return [n for n, reply in ledger.acknowledged.items() if stored.get(hook_instance(n)) != [reply]]


def assert_sound(database: Database, ledger: Ledger) -> None:
    """The database is whole, holds each acknowledged hook once as acknowledged, nothing unasked, one audit row each."""
    ids = database.rows("SELECT count(*), count(DISTINCT id) FROM predictions")
    audited = database.rows("SELECT count(*), count(DISTINCT object_id) FROM audit WHERE action = 'predict'")
    stored = stored_replies(database)

    assert (database.damage(), database.first_broken()) == ([], None)
    assert lost_or_changed(database, ledger) == []
    assert ledger.changed == set()
    assert set(stored) <= {hook_instance(number) for number in range(ledger.asked)}
    assert ids == audited == [(len(stored), len(stored))]


def repeat_all(database: Database, ledger: Ledger, port: int) -> None:
    """Ask everything ever asked once more: all is answered 200, acknowledged as before, one row each."""
    before = Counter(ledger.statuses)
    load = Load(ledger, port, clients=8, repeats=range(ledger.asked), new=False)
    load.join()

    assert ledger.statuses - before == {200: ledger.asked * ledger.CALLS}
    assert (load.timeouts, ledger.unanswered()) == (0, [])
    assert len(stored_replies(database)) == ledger.asked
    assert_sound(database, ledger)
