"""Messages a second over MLLP from 20 senders that each wait for the answer, and the server's CPU a message.

Ours reads, scores and stores each message durably before it answers; the peer reads and answers.
"""

from __future__ import annotations

import re
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from statistics import median
from subprocess import Popen

from bench.processes import cpu_seconds, free_port, server
from bench.report import Figure

_SENDERS = 20
_ROUNDS = 4  # the first is not counted
_numbers = count()  # no message twice: a repeat is answered from what is stored
_PATIENTS = 500
# What the message holds for heart rate, respirations, saturation and pressures, and what stands for it: from which
# number on, how many steps.
_VALUES = ((b"|118|", 60, 83), (b"|26|", 12, 19), (b"|91|", 88, 13), (b"|96|", 92, 71), (b"|58|", 50, 37))
_MESSAGE = Path(__file__).parents[1] / "fixtures" / "twins" / "sepsis-from-nursing-home" / "message.hl7"


@dataclass(frozen=True, slots=True)
class _Server:
    """What is started as `python -m bench.mllp_servers NAME`, and how it is spoken to."""

    name: str
    messages: int  # a round
    keeps_connections: bool


OURS = _Server("ours", 4000, keeps_connections=True)
_SERVERS = (OURS, _Server("hl7apy", 200, keeps_connections=False))


def measure() -> list[Figure]:
    """Median over interleaved rounds, so that what else the machine does falls on all alike."""
    rates: dict[str, list[float]] = {one.name: [] for one in _SERVERS}
    costs: dict[str, list[float]] = {one.name: [] for one in _SERVERS}
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        ports = {one.name: free_port() for one in _SERVERS}
        pids = {name: stack.enter_context(running(name, port, Path(directory))).pid for name, port in ports.items()}
        for _ in range(_ROUNDS):
            for one in _SERVERS:
                before, begun = cpu_seconds(pids[one.name]), time.perf_counter()
                send_all(one, ports[one.name], messages=one.messages)
                rates[one.name].append(one.messages / (time.perf_counter() - begun))
                costs[one.name].append((cpu_seconds(pids[one.name]) - before) / one.messages)
    rate = {name: median(found[1:]) for name, found in rates.items()}
    cost = {name: median(found[1:]) for name, found in costs.items()}
    return [
        Figure("MLLP, 20 senders: scored, stored, acknowledged", rate["ours"], "/s"),
        Figure("read and acknowledged by hl7apy's server and parser", rate["hl7apy"], "/s"),
        Figure("MLLP, server CPU per message", cost["ours"] * 1e6, "µs"),
        Figure("ours / hl7apy, messages a second", rate["ours"] / rate["hl7apy"], "times", at_least=20.0),
        Figure("hl7apy / ours, server CPU per message", cost["hl7apy"] / cost["ours"], "times", at_least=20.0),
    ]


def running(name: str, port: int, directory: Path, **more: str) -> AbstractContextManager[Popen[bytes]]:
    """One of the servers until the block ends, with a database of its own; `more` are variables it gets beside."""
    command = [sys.executable, "-m", "bench.mllp_servers", name, str(port)]
    env = {"CDS_DATABASE_URL": f"sqlite:///{directory}/cds.db", "CDS_LOG_FILE": str(directory / "log.jsonl"), **more}
    return server(command, port, env, directory / f"{name}.log")


def send_all(one: _Server, port: int, *, messages: int) -> None:
    """The messages of a round, shared out over the senders; RuntimeError unless each was acknowledged."""
    framed = [_framed(next(_numbers)) for _ in range(messages)]
    answered: list[int] = []
    threads = [
        threading.Thread(target=_send, args=(port, framed[i::_SENDERS], one.keeps_connections, answered))
        for i in range(_SENDERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if sum(answered) != messages:
        raise RuntimeError(f"{one.name} acknowledged {sum(answered)} of {messages} messages")


def _framed(number: int) -> bytes:
    """A message of its own: another control id, one of some hundred patients, and other values than the one before."""
    message = (
        _message().replace(b"SEPSIS-1", b"M%08d" % number).replace(b"SYN-0001", b"SYN-%04d" % (number % _PATIENTS))
    )
    for sent, lowest, steps in _VALUES:
        message = message.replace(sent, b"|%d|" % (lowest + number % steps))
    return b"\x0b" + message + b"\x1c\r"


@cache
def _message() -> bytes:
    """The message as if its readings were of now, so that they are scored."""
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000").encode()
    return re.sub(rb"20260314\d{6}\+0100", now, _MESSAGE.read_bytes())


def _send(port: int, messages: Iterable[bytes], keeps_connections: bool, answered: list[int]) -> None:
    found = 0
    with ExitStack() as kept:
        connection: socket.socket | None = None
        for message in messages:
            if connection is None or not keeps_connections:
                kept.close()
                connection = kept.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            connection.sendall(message)
            found += _is_acknowledgment(connection)
    answered.append(found)


def _is_acknowledgment(connection: socket.socket) -> bool:
    """Whether the next answer says AA or CA."""
    answer = b""
    while not answer.endswith(b"\x1c\r"):
        piece = connection.recv(65536)
        if not piece:
            return False
        answer += piece
    return b"\rMSA|AA|" in answer or b"\rMSA|CA|" in answer
