"""A small HTTP/1.1 client over loopback: keep-alive connections that send prepared requests and read the answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

HOST = "127.0.0.1"


@dataclass(slots=True)
class Result:
    """Statuses counted and seconds taken by each call, of one run."""

    statuses: dict[int, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def count(self, status: int, taken: float) -> None:
        """Add one answered call."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.seconds.append(taken)


class Connection:
    """One keep-alive connection."""

    def __init__(self, port: int, timeout_s: float = 30.0) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def call(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to one request."""
        self._socket.sendall(request)
        buffer = self._buffer
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            buffer += self._receive()
        head, buffer = buffer[:end].lower(), buffer[end + 4 :]
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in head else 0
        while len(buffer) < length:
            buffer += self._receive()
        self._buffer = buffer[length:]
        return int(head[9:12]), buffer[:length]

    def _receive(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


def post(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """One POST request as bytes."""
    extra = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return (head + extra + "\r\n").encode() + body


def run(port: int, requests: Sequence[bytes], connections: int) -> Result:
    """Send every request once, shared out over so many connections, one after the other on each."""
    results = [Result() for _ in range(connections)]
    threads = [
        threading.Thread(target=_send, args=(port, requests[i::connections], results[i].count))
        for i in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = Result()
    for result in results:
        for status, n in result.statuses.items():
            total.statuses[status] = total.statuses.get(status, 0) + n
        total.seconds += result.seconds
    return total


def _send(port: int, requests: Sequence[bytes], count: Callable[[int, float], None]) -> None:
    connection = Connection(port)
    for request in requests:
        begun = time.perf_counter()
        status, _ = connection.call(request)
        count(status, time.perf_counter() - begun)
    connection.close()
