"""A listener on loopback with a handler of the test's own, and senders that speak to it over raw sockets."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import free_port
from cds_service.domain.actor import Actor
from cds_service.hl7.framing import Broken, framed
from cds_service.mllp.connection import Receiver
from cds_service.mllp.listener import MllpListener
from cds_service.monitoring.metrics import REGISTRY
from cds_service.settings import Settings
from tests.conftest import environment

PATIENCE_S = 10.0


def answer_to(message: bytes) -> bytes:
    """What the handlers of these tests answer, so that every answer names its message."""
    return b"ACK|" + message


@dataclass
class Ward:
    """Takes messages in place of the service: remembers them, and does to some of them what the test asks for."""

    taken: list[tuple[bytes, Actor]] = field(default_factory=list)
    refused: list[Broken] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)  # messages of b"HOLD" wait for it

    def handle(self, message: bytes, sender: Actor) -> list[bytes]:
        self.taken.append((message, sender))
        if message.startswith(b"HOLD"):
            self.hold.wait(PATIENCE_S)
        if message.startswith(b"FAIL"):
            raise {b"FAIL": RuntimeError, b"FAIL-STOP": StopIteration, b"FAIL-EXIT": SystemExit}[message]("Jane Doe")
        return {b"SILENT": [], b"ENHANCED": [b"ACCEPT", b"APPLICATION"]}.get(message, [answer_to(message)])

    def refuse(self, broken: Broken, _sender: Actor) -> list[bytes]:
        self.refused.append(broken)
        return [b"REFUSED"] if broken.is_fatal else []

    @property
    def messages(self) -> list[bytes]:
        return [message for message, _ in self.taken]


@dataclass
class Listening:
    """A listener that is up, and the port it is at."""

    listener: MllpListener
    port: int

    def sender(self, source: str = "127.0.0.1") -> Sender:
        connection = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S, source_address=(source, 0))
        return Sender(connection)


class Sender:
    """One connection: sends bytes, reads answers."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._received = b""

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, message: bytes) -> bytes:
        self.send(framed(message))
        return self.answer()

    def answer(self) -> bytes:
        """The next answer without its frame; ConnectionError when the listener has closed."""
        while b"\x1c\r" not in self._received:
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionError("closed")
            self._received += piece
        answer, _, self._received = self._received.partition(b"\x1c\r")
        assert answer[:1] == b"\x0b"
        return answer[1:]

    def is_closed(self) -> bool:
        """Whether the listener closes within the test's patience, having said nothing more."""
        try:
            return self._received == b"" and self.socket.recv(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True


@contextmanager
def listening(directory: Path, ward: Ward, clients: str = "", **variables: str) -> Iterator[Listening]:
    """A listener until the block ends; every sender on loopback is let in unless the variables say otherwise."""
    file = directory / "clients.toml"
    file.write_text(clients)
    port = free_port()
    more = {"CDS_MLLP_BIND": f"127.0.0.1:{port}", "CDS_CLIENTS_FILE": str(file), **variables}
    listener = MllpListener(
        Settings.from_environment(environment(directory, **more)), Receiver(ward.handle, ward.refuse)
    )
    listener.start()
    try:
        yield Listening(listener, port)
    finally:
        ward.hold.set()
        if listener.healthy():
            listener.drain(PATIENCE_S)


def limits(**values: float) -> str:
    """The limits of the clients file."""
    return "[mllp.limits]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


def counted(name: str, **labels: str) -> float:
    """A metric's value now; zero before it was first counted."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def wait_until(holds: Callable[[], bool]) -> None:
    """Return once it holds; fails after the test's patience."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.005)
