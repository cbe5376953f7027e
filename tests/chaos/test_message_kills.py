"""THREATS 69 and 82 for messages: SIGKILL at seeded moments loses nothing acknowledged and doubles nothing."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest

from bench.processes import free_port, wait_for
from cds_service.hl7.framing import framed
from tests.conftest import REPOSITORY, environment
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


@contextmanager
def forking(database: Database, directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that forks receivers until the block ends."""
    more = {**database.settings, "CDS_LOG_FILE": str(directory / "log.jsonl")}
    variables = {**environment(directory, **more), "PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "tests.chaos.message_process"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPOSITORY, env=variables, stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 0


def serve_and_kill(process: subprocess.Popen[str], senders: list[Sender], after_s: float) -> None:
    """One receiver under load, killed this long after the first acknowledgment."""
    assert process.stdin is not None
    assert process.stdout is not None
    port = free_port()
    before = sum(len(one.acknowledged) for one in senders)
    print(port, file=process.stdin, flush=True)
    child = int(process.stdout.readline())
    try:
        wait_for(port, process, PATIENCE_S)
        threads = [Thread(target=one.send_until_killed, args=(port,)) for one in senders]
        for thread in threads:
            thread.start()
        end = monotonic() + PATIENCE_S
        while sum(len(one.acknowledged) for one in senders) == before and monotonic() < end:
            sleep(0.001)
        sleep(after_s)
    finally:
        os.kill(child, signal.SIGKILL)
    for thread in threads:
        thread.join()


@pytest.mark.slow
def test_69_no_message_acknowledged_is_lost_or_doubled_by_kills(database: Database, tmp_path: Path) -> None:
    chance = random.Random(20260314)
    senders = [Sender(number) for number in range(SENDERS)]
    with forking(database, tmp_path) as process:
        for _ in range(KILLS):
            serve_and_kill(process, senders, chance.uniform(0.0, 0.1))

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
