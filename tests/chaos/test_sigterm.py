"""THREATS 82: SIGTERM under load answers what was accepted, loses no row, and ends with 0."""

from __future__ import annotations

import os
import random
import signal
import time
from threading import Thread

import pytest

from bench.bodies import hook_instance
from bench.processes import tree
from bench.servers import Running, served
from tests.chaos.asking import ask, ask_hook
from tests.chaos.ledger import Ledger, Load, assert_sound, repeat_all, stored_replies
from tests.databases import Database
from tests.storage.builders import eventually

ROUNDS = 6
EXIT_IN_TIME_S = 10
IN_FLIGHT = 20
pytestmark = pytest.mark.slow


def test_82_sigterm_under_load_answers_all_that_was_accepted_and_ends_with_0(database: Database) -> None:
    """What has a row was answered, what was answered has its row: nothing is stored that nobody was told of."""
    chance = random.Random(20260315)
    ledger = Ledger()
    for _ in range(ROUNDS):
        with served(database.directory, **database.settings) as service:
            load = Load(ledger, service.port, clients=8)
            time.sleep(0.3 + chance.uniform(0.0, 0.3))
            service.process.send_signal(signal.SIGTERM)

            assert service.process.wait(EXIT_IN_TIME_S) == 0
            load.join()
        assert load.timeouts == 0
        assert set(stored_replies(database)) == {hook_instance(number) for number in ledger.acknowledged}
    assert set(ledger.statuses) == {200}
    assert_sound(database, ledger)
    with served(database.directory, **database.settings) as service:
        repeat_all(database, ledger, service.port)


def test_82_calls_waiting_in_the_writer_are_answered_while_new_ones_are_turned_away(database: Database) -> None:
    ledger = Ledger()
    with served(database.directory, **database.settings) as service:
        assert ask_hook(service.port, ledger).status == 200
        with database.blocked():
            askers = [Thread(target=ask_hook, args=(service.port, ledger)) for _ in range(IN_FLIGHT)]
            for asker in askers:
                asker.start()
            assert eventually(lambda: ledger.asked == IN_FLIGHT + 1)
            time.sleep(0.2)
            service.process.send_signal(signal.SIGTERM)
            assert eventually(lambda: readiness(service) in (0, 503))
        for asker in askers:
            asker.join()
        assert service.process.wait(EXIT_IN_TIME_S) == 0

    assert ledger.statuses == {200: IN_FLIGHT + 1}
    assert_sound(database, ledger)
    assert '"service_drained"' in (database.directory / "service.log").read_text().splitlines()[-1]


def readiness(service: Running) -> int:
    """The status of /readyz, 0 when the connection is refused or closed."""
    try:
        return ask(service.port, "/readyz").status
    except OSError:
        return 0


def test_82_sigterm_is_heard_while_a_worker_is_being_replaced(database: Database) -> None:
    for after_s in (0.0, 0.005, 0.01, 0.02):
        with served(database.directory, **database.settings) as service:
            assert ask(service.port, "/livez").status == 200
            for pid in tree(service.pid)[1:]:
                os.kill(pid, signal.SIGKILL)
            time.sleep(after_s)
            service.process.send_signal(signal.SIGTERM)

            assert service.process.wait(EXIT_IN_TIME_S) in (0, 1)
