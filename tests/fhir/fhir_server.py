"""A FHIR server for the tests, on loopback: it answers as told, and remembers what it was asked."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

Answer = bytes | Callable[[socket.socket, Event], None]


def answer(
    body: bytes, *, status: str = "200 OK", media: str = "application/fhir+json", more: tuple[str, ...] = ()
) -> bytes:
    """One HTTP answer, whole."""
    head = [f"HTTP/1.1 {status}", f"Content-Type: {media}", f"Content-Length: {len(body)}", "Connection: close", *more]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@dataclass
class FhirServer:
    """Answers by path; anything else is 404."""

    port: int
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/fhir"


@contextmanager
def a_fhir_server(answers: dict[str, Answer] | None = None) -> Iterator[FhirServer]:
    """A server on a free port; every connection it holds is let go at the end."""
    listener = socket.create_server(("127.0.0.1", 0))
    server, ending = FhirServer(listener.getsockname()[1], answers or {}), Event()

    def serve() -> None:
        with suppress(OSError):
            while not ending.is_set():
                connection, _ = listener.accept()
                Thread(target=handle, args=(connection,), daemon=True).start()

    def handle(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head and (chunk := connection.recv(65536)):
                head += chunk
            if not head:
                return  # whoever ends the server
            server.requests.append(head.decode())
            path = head.split(b" ", 2)[1].decode()
            reply = server.answers.get(path, answer(b"{}", status="404 Not Found"))
            if callable(reply):
                reply(connection, ending)
            else:
                connection.sendall(reply)

    Thread(target=serve, daemon=True).start()
    try:
        yield server
    finally:
        ending.set()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", server.port), 1).close()
        listener.close()
