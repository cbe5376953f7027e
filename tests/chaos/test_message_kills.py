"""THREATS 69 and 82 for messages: SIGKILL at seeded moments loses nothing acknowledged and doubles nothing."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
from collections import Counter
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest

from bench.processes import free_port, wait_for
from cds_service.hl7.framing import framed
from tests.chaos.forks import Forks, assignments, forks_of
from tests.conftest import environment
from tests.databases import Database
from tests.hl7.builders import OBR, PID, PV1, er7, msh, obx

KILLS = 50
SENDERS = 6
REPEATED = 3  # the last messages of each sender, sent again to the next process
PATIENCE_S = 30.0


class Sender:
    """One sender: numbers its messages, remembers what was acknowledged, and sends again what may not have been."""

    def __init__(self, name: int) -> None:
        self.name = name
        self.number = 0
        self.acknowledged: dict[str, bytes] = {}
        self.changed: set[str] = set()

    def message(self, number: int) -> bytes:
        """Every seventh corrects: it goes in by itself, the others together."""
        status = "F" if number % 7 else "C"
        return er7(msh(msh_10=f"S{self.name}-{number}"), PID, PV1, OBR, obx(value=60 + number % 100, obx_11=status))

    def send_until_killed(self, port: int) -> None:
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
                for number in range(max(0, self.number - REPEATED), self.number):
                    self.ask(connection, number)
                while True:
                    self.number += 1
                    self.ask(connection, self.number - 1)
        except OSError:
            return

    def ask(self, connection: socket.socket, number: int) -> None:
        connection.sendall(framed(self.message(number)))
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionResetError
            answer += piece
        if b"MSA|AA|" in answer:
            key = f"S{self.name}-{number}"
            if self.acknowledged.setdefault(key, answer) != answer:
                self.changed.add(key)


def serve_and_kill(forks: Forks, settings: dict[str, str], senders: list[Sender], after_s: float) -> None:
    """One receiver under load, killed this long after the first acknowledgment."""
    port = free_port()
    before = sum(len(one.acknowledged) for one in senders)
    receiver = forks.start(*assignments({**settings, "CDS_MLLP_BIND": f"127.0.0.1:{port}"}))
    try:
        wait_for(port, forks.process, PATIENCE_S)
        threads = [Thread(target=one.send_until_killed, args=(port,)) for one in senders]
        for thread in threads:
            thread.start()
        end = monotonic() + PATIENCE_S
        while sum(len(one.acknowledged) for one in senders) == before and monotonic() < end:
            sleep(0.001)
        sleep(after_s)
    finally:
        os.kill(receiver, signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert forks.rest() == []


@pytest.mark.slow
def test_69_no_message_acknowledged_is_lost_or_doubled_by_kills(database: Database, tmp_path: Path) -> None:
    chance = random.Random(20260314)
    senders = [Sender(number) for number in range(SENDERS)]
    settings = environment(tmp_path, **database.settings, CDS_LOG_FILE=str(tmp_path / "log.jsonl"))
    with forks_of("tests.chaos.message_process") as forks:
        for _ in range(KILLS):
            serve_and_kill(forks, settings, senders, chance.uniform(0.0, 0.1))

    stored = Counter(str(key) for (key,) in database.rows("SELECT control_id FROM messages WHERE status = 'accepted'"))
    predicted = database.rows("SELECT m.control_id FROM messages m JOIN predictions p ON p.id = m.prediction_id")
    acknowledged = {key for one in senders for key in one.acknowledged}
    echoed = {
        match[1]
        for one in senders
        for a in one.acknowledged.values()
        if (match := re.search(rb"\rMSA\|AA\|(\S+)\r", a))
    }

    assert len(acknowledged) > KILLS
    assert {key.encode() for key in acknowledged} == echoed
    assert acknowledged <= set(stored)
    assert set(stored.values()) == {1}
    assert sorted(str(key) for (key,) in predicted) == sorted(stored)
    assert [one.changed for one in senders] == [set()] * SENDERS
    assert database.rows("SELECT count(*) FROM predictions") == [(len(stored),)]
    assert database.rows("SELECT count(*) FROM readings") == [(len(stored),)]
    assert database.rows("SELECT count(*) FROM audit WHERE action = 'message'") == [(len(stored),)]
    assert (database.damage(), database.first_broken()) == ([], None)
