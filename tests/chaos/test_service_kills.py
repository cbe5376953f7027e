"""THREATS 82 and 83: SIGKILL for the whole service under load loses nothing acknowledged and doubles nothing."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bench.processes import free_port, tree, wait_for
from bench.servers import Running, served, settings
from tests.chaos.asking import is_in_time, not_ready
from tests.chaos.conversations import LEFT, Conversations, assert_each_is_audited_once, lost_or_doubled
from tests.chaos.forks import Forks, assignments, forks_of
from tests.chaos.ledger import Ledger, Load, assert_sound, lost_or_changed, repeat_all
from tests.databases import Database
from tests.storage.builders import eventually

KILLS = 57  # 51 of them under load
NINTH = 9  # begins with a start of the whole command, timed, and ends with one that is killed while starting
CLIENTS = 6
ANSWERS = 150  # at most so many before the kill, so that it meets work however busy the machine is
REPEATED = 10  # acknowledged hooks asked again each round with what was said of them, mixed with those unanswered


def kill_tree(pid: int) -> None:
    """SIGKILL for every process of the service at once: they are one process group, begun by us."""
    members = tree(pid)
    os.killpg(pid, signal.SIGKILL)

    assert eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in members))


def kill_workers(service: Running) -> None:
    """SIGKILL for the processes that answer, not for the one that starts them."""
    workers = tree(service.pid)[1:]
    for pid in workers:
        os.kill(pid, signal.SIGKILL)

    assert eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in workers))


@contextmanager
def begun_again(database: Database, forks: Forks) -> Iterator[tuple[int, int]]:
    """Process id and port of `cds serve`, forked where its modules are loaded; to be killed in the block."""
    port = free_port()
    variables = assignments(settings(database.directory, port, **database.settings))
    pid = forks.start(str(database.directory / "output.log"), *variables)
    try:
        wait_for(port, forks.process)
        yield pid, port
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        raise
    assert forks.rest() == []


@contextmanager
def started_again(database: Database, times: list[float]) -> Iterator[tuple[int, int]]:
    """The same as a command of its own, and how long it took to say that it is ready."""
    begun = time.monotonic()
    with served(database.directory, **database.settings) as service:
        assert eventually(lambda: is_ready(service.port), within_s=30)
        times.append(time.monotonic() - begun)
        yield service.pid, service.port


@contextmanager
def loaded(port: int, ledger: Ledger, repeats: list[int]) -> Iterator[None]:
    """Clients at work once the first answer came, until the block has ended the service."""
    before = sum(ledger.statuses.values())
    load = Load(ledger, port, clients=CLIENTS, repeats=repeats)
    try:
        assert eventually(lambda: sum(ledger.statuses.values()) > before, within_s=20)
        yield
    finally:
        load.stopping = True
        load.join()
    assert load.timeouts == 0


def is_ready(port: int) -> bool:
    """Whether it says so; while a worker is replaced a connection is refused, or reset as the killed one goes."""
    try:
        return not not_ready(port)
    except OSError:
        return False


def repeat_all_once_ready(database: Database, ledger: Ledger, service: Running) -> None:
    """Until a worker that has just come up knows its models and its database, 503 is the right answer."""
    assert eventually(lambda: is_ready(service.port), within_s=30)
    repeat_all(database, ledger, service.port)


@pytest.mark.slow
def test_82_nothing_acknowledged_is_lost_or_doubled_by_killing_the_whole_service(database: Database) -> None:
    """Hooks, feedback and labels, each client all three; in every ninth round while starting, each time ready again."""
    chance = random.Random(20260314)
    ledger = Conversations()
    times: list[float] = []
    with forks_of("tests.chaos.service_process") as forks:
        for number in range(KILLS):
            known = sorted(ledger.acknowledged)
            repeats = ledger.unanswered() + chance.sample(known, min(REPEATED, len(known)))
            chance.shuffle(repeats)
            if number % NINTH == NINTH - 1:
                with served(database.directory, **database.settings) as service:
                    time.sleep(chance.uniform(0.0, 0.5))
                    kill_tree(service.pid)
                continue
            again = begun_again(database, forks) if number % NINTH else started_again(database, times)
            with again as (pid, port), loaded(port, ledger, repeats):
                enough = sum(ledger.statuses.values()) + chance.randrange(ANSWERS)
                assert eventually(lambda: sum(ledger.statuses.values()) >= enough, within_s=20)  # noqa: B023
                kill_tree(pid)
            assert lost_or_changed(database, ledger) == [], f"round {number}"
            assert lost_or_doubled(database, ledger) == [], f"round {number}"

    done = Counter(said.mode for said in ledger.said)
    assert min(len(ledger.acknowledged), *done.values()) > KILLS  # the kills met work, however busy the machine was
    assert set(done) == set(LEFT)
    assert set(ledger.statuses) == {200}
    assert is_in_time(max(times)), sorted(times)
    assert_sound(database, ledger)
    with served(database.directory, **database.settings) as service:
        repeat_all_once_ready(database, ledger, service)
    assert len(ledger.said) == ledger.asked * len(LEFT)
    assert lost_or_doubled(database, ledger) == []
    assert_each_is_audited_once(database)


@pytest.mark.slow
def test_83_a_killed_worker_is_replaced_and_one_that_dies_again_at_once_ends_the_service(database: Database) -> None:
    """granian takes a second death within 5.5 s for a crash loop: whatever supervises the service decides then."""
    ledger = Ledger()
    with served(database.directory, **database.settings) as service:
        with loaded(service.port, ledger, []):
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
        with loaded(service.port, ledger, []):
            os.kill(service.pid, signal.SIGKILL)
            service.process.wait(10)
            with served(database.directory, **database.settings) as successor:
                repeats = Load(ledger, successor.port, clients=2, repeats=range(ledger.asked), new=False)
                repeats.join()

        assert eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in members), within_s=20)
    with served(database.directory, **database.settings) as service:
        repeat_all_once_ready(database, ledger, service)
