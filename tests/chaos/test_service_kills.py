"""THREATS 82 and 83 for the whole service: SIGKILL under load loses nothing acknowledged and doubles nothing."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.processes import tree, wait_for
from bench.servers import Running, served
from tests.chaos.asking import is_in_time, not_ready
from tests.chaos.ledger import Ledger, Load, assert_sound, lost_or_changed, repeat_all
from tests.databases import Database
from tests.storage.builders import eventually

KILLS = 54
CLIENTS = 6
ANSWERS = 150  # at most so many before the kill, so that it meets work however busy the machine is
REPEATED = 40  # acknowledged hooks asked again each round, mixed with what stayed unanswered


def kill_tree(service: Running) -> None:
    """SIGKILL for every process of the service at once: they are one process group, begun by us."""
    members = tree(service.pid)
    os.killpg(service.pid, signal.SIGKILL)
    service.process.wait(10)

    assert eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in members))


def kill_workers(service: Running) -> None:
    """SIGKILL for the processes that answer, not for the one that starts them."""
    workers = tree(service.pid)[1:]
    for pid in workers:
        os.kill(pid, signal.SIGKILL)

    assert eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in workers))


@contextmanager
def started_again(database: Database, times: list[float]) -> Iterator[Running]:
    """The service on what the kill before left, and how long it took to say that it is ready."""
    begun = time.monotonic()
    with served(database.directory, **database.settings) as service:
        assert eventually(lambda: not not_ready(service.port), within_s=30)
        times.append(time.monotonic() - begun)
        yield service


@contextmanager
def loaded(service: Running, ledger: Ledger, repeats: list[int]) -> Iterator[None]:
    """Clients at work once the first answer came, until the block has ended the service."""
    before = sum(ledger.statuses.values())
    load = Load(ledger, service.port, clients=CLIENTS, repeats=repeats)
    try:
        assert eventually(lambda: sum(ledger.statuses.values()) > before, within_s=20)
        yield
    finally:
        load.stopping = True
        load.join()
    assert load.timeouts == 0


def repeat_all_once_ready(database: Database, ledger: Ledger, service: Running) -> None:
    """Until a worker that has just come up knows its models and its database, 503 is the right answer."""
    assert eventually(lambda: not not_ready(service.port), within_s=30)
    repeat_all(database, ledger, service.port)


@pytest.mark.slow
def test_82_nothing_acknowledged_is_lost_or_doubled_by_killing_the_whole_service(database: Database) -> None:
    """In every ninth round while starting, else after a random number of answers; ready again each time."""
    chance = random.Random(20260314)
    ledger = Ledger()
    times: list[float] = []
    for number in range(KILLS):
        known = sorted(ledger.acknowledged)
        repeats = ledger.unanswered() + chance.sample(known, min(REPEATED, len(known)))
        chance.shuffle(repeats)
        if number % 9 == 8:
            with served(database.directory, **database.settings) as service:
                time.sleep(chance.uniform(0.0, 0.5))
                kill_tree(service)
            continue
        with started_again(database, times) as service, loaded(service, ledger, repeats):
            enough = sum(ledger.statuses.values()) + chance.randrange(ANSWERS)
            assert eventually(lambda: sum(ledger.statuses.values()) >= enough, within_s=20)  # noqa: B023
            kill_tree(service)
        assert lost_or_changed(database, ledger) == [], f"round {number}"

    assert len(ledger.acknowledged) > KILLS  # the kills met work, however busy the machine was
    assert set(ledger.statuses) == {200}
    assert is_in_time(max(times)), sorted(times)
    assert_sound(database, ledger)
    with served(database.directory, **database.settings) as service:
        repeat_all_once_ready(database, ledger, service)


@pytest.mark.slow
def test_83_a_killed_worker_is_replaced_and_one_that_dies_again_at_once_ends_the_service(database: Database) -> None:
    """granian takes a second death within 5.5 s for a crash loop: whatever supervises the service decides then."""
    ledger = Ledger()
    with served(database.directory, **database.settings) as service:
        with loaded(service, ledger, []):
            time.sleep(0.2)
            kill_workers(service)
        wait_for(service.port, service.process)  # a connection is refused while the worker is replaced
        repeat_all_once_ready(database, ledger, service)
        kill_workers(service)

        assert service.process.wait(20) == 1


@pytest.mark.slow
def test_83_a_service_started_beside_the_orphans_of_a_killed_one_shares_the_database(database: Database) -> None:
    ledger = Ledger()
    with served(database.directory, **database.settings) as service:
        members = tree(service.pid)
        with loaded(service, ledger, []):
            os.kill(service.pid, signal.SIGKILL)
            service.process.wait(10)
            with served(database.directory, **database.settings) as successor:
                repeats = Load(ledger, successor.port, clients=2, repeats=range(ledger.asked), new=False)
                repeats.join()

        assert eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in members), within_s=20)
    with served(database.directory, **database.settings) as service:
        repeat_all_once_ready(database, ledger, service)
