from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from cds_service.cdshooks import key_store
from cds_service.cdshooks.key_source import KeySource
from cds_service.cdshooks.key_store import KeyServerFailed, KeyStore
from cds_service.errors import Unavailable
from tests.mllp.conversing import wait_until
from tests.web.tokens import elliptic_key, key_set

ADDRESS = KeySource(address="https://ehr.example.org/jwks")


class Hands:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class KeyServer:
    """What is at the address, and how often it was asked."""

    def __init__(self, body: bytes | Exception) -> None:
        self.body = body
        self.asked = 0

    def __call__(self, address: str) -> bytes:
        self.asked += 1
        if isinstance(self.body, Exception):
            raise self.body
        return self.body


@pytest.fixture
def clock() -> Hands:
    return Hands()


def nowhere(address: str) -> bytes:
    raise AssertionError("no address to be asked")


def write(path: Path, body: bytes, *, at: int) -> KeySource:
    path.write_bytes(body)
    os.utime(path, ns=(at, at))
    return KeySource(file=path)


def test_threat_42_a_new_key_in_the_file_is_taken_and_a_removed_one_refused(tmp_path: Path, clock: Hands) -> None:
    store = KeyStore(nowhere, clock=clock)
    source = write(tmp_path / "keys", key_set(old=elliptic_key("old")), at=1)
    before = store.key(source, "old")

    write(tmp_path / "keys", key_set(new=elliptic_key("new")), at=2)
    clock.now += key_store.FILE_AGE_S + 0.1

    assert before is not None
    assert store.key(source, "new") is not None
    assert store.key(source, "old") is None


@pytest.mark.parametrize("broken", [b"", b"{", b'{"keys": []}', b"x" * (key_store.BYTES_LIMIT + 1)])
def test_threat_41_a_file_half_written_leaves_the_keys_as_they_were(
    tmp_path: Path, clock: Hands, broken: bytes
) -> None:
    store = KeyStore(nowhere, clock=clock)
    source = write(tmp_path / "keys", key_set(old=elliptic_key("old")), at=1)
    store.key(source, "old")

    write(tmp_path / "keys", broken, at=2)
    clock.now += 60

    assert store.key(source, "old") is not None


def test_threat_41_a_file_that_is_gone_leaves_the_keys_as_they_were(tmp_path: Path, clock: Hands) -> None:
    store = KeyStore(nowhere, clock=clock)
    source = write(tmp_path / "keys", key_set(old=elliptic_key("old")), at=1)
    store.key(source, "old")

    (tmp_path / "keys").unlink()
    clock.now += 60

    assert store.key(source, "old") is not None


@pytest.mark.parametrize(
    "trouble", [KeyServerFailed("answered 500"), b"{", b'{"keys":[]}'], ids=["500", "bad", "empty"]
)
def test_threat_41_one_failed_fetch_never_clears_the_cache(clock: Hands, trouble: bytes | Exception) -> None:
    server = KeyServer(key_set(old=elliptic_key("old")))
    store = KeyStore(server, clock=clock)
    store.key(ADDRESS, "old")

    server.body = trouble
    clock.now += key_store.FETCHED_AGE_S + 1

    assert store.key(ADDRESS, "old") is not None
    assert server.asked == 2


def test_threat_41_unknown_keys_do_not_cost_a_fetch_each(clock: Hands) -> None:
    server = KeyServer(key_set(old=elliptic_key("old")))
    store = KeyStore(server, clock=clock)

    for number in range(100):
        assert store.key(ADDRESS, f"unknown-{number}") is None

    assert server.asked == 1


def test_threat_42_a_new_key_at_the_address_is_taken_within_a_minute(clock: Hands) -> None:
    server = KeyServer(key_set(old=elliptic_key("old")))
    store = KeyStore(server, clock=clock)
    store.key(ADDRESS, "old")

    server.body = key_set(new=elliptic_key("new"))
    clock.now += key_store.RETRY_S + 1

    assert store.key(ADDRESS, "new") is not None
    assert store.key(ADDRESS, "old") is None


def slow_the_second_time(clock: Hands) -> tuple[KeyStore, Event, Event]:
    """A store that has read its keys once; at the next reading it sets the first event and waits for the second."""
    asked, slow = Event(), Event()
    bodies: list[Callable[[], object]] = [lambda: None, lambda: (asked.set(), slow.wait(5))]

    def fetch(address: str) -> bytes:
        bodies.pop(0)()
        return key_set(old=elliptic_key("old"))

    store = KeyStore(fetch, clock=clock)
    store.key(ADDRESS, "old")
    return store, asked, slow


def test_threat_41_a_slow_key_server_holds_nobody_whose_key_is_known(clock: Hands) -> None:
    store, asked, slow = slow_the_second_time(clock)
    clock.now += key_store.FETCHED_AGE_S + 1
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(store.key, ADDRESS, "old")
        assert asked.wait(5)

        second = store.key(ADDRESS, "old")

        assert not first.done()
        slow.set()
    assert second is not None
    assert first.result() is not None


def test_threat_41_a_slow_key_server_holds_nobody_whose_key_another_of_the_clients_servers_gave(clock: Hands) -> None:
    store, asked, slow = slow_the_second_time(clock)
    moved_from = KeySource(address="https://ehr.example.org/before")
    with ThreadPoolExecutor(1) as pool:
        guess = pool.submit(store.find, [moved_from, ADDRESS], "guess")
        assert asked.wait(5)

        assert store.find([moved_from, ADDRESS], "old") is not None

        slow.set()
        assert guess.result() is None


def test_callers_that_come_while_the_keys_are_read_first_wait_for_them(clock: Hands) -> None:
    slow, asked = Event(), Event()

    def fetch(address: str) -> bytes:
        asked.set()
        slow.wait(5)
        return key_set(old=elliptic_key("old"))

    store = KeyStore(fetch, clock=clock)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store.key, ADDRESS, "old")
        assert asked.wait(5)
        second = pool.submit(store.key, ADDRESS, "old")
        with pytest.raises(TimeoutError):
            second.result(0.2)
        slow.set()

    assert first.result() is not None
    assert second.result() is not None


def test_threat_41_guessed_key_ids_hold_few_threads_while_a_key_server_is_slow(clock: Hands) -> None:
    store, asked, slow = slow_the_second_time(clock)
    clock.now += key_store.RETRY_S + 1
    with ThreadPoolExecutor(1 + key_store.WAITING_LIMIT) as pool:
        guesses = [pool.submit(store.key, ADDRESS, f"guess-{n}") for n in range(1 + key_store.WAITING_LIMIT)]
        assert asked.wait(5)
        wait_until(lambda: store._waiting._value == 0)

        with pytest.raises(Unavailable, match="too many calls wait"):
            store.key(ADDRESS, "another guess")
        assert store.key(ADDRESS, "old") is not None

        slow.set()
        assert [guess.result() for guess in guesses] == [None] * len(guesses)
    assert store.key(ADDRESS, "another guess") is None


def test_any_number_of_calls_waits_for_a_file(tmp_path: Path, clock: Hands) -> None:
    store = KeyStore(nowhere, clock=clock)
    source = write(tmp_path / "keys", key_set(old=elliptic_key("old")), at=1)

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: store.key(source, "old"), range(64)))

    assert None not in found
