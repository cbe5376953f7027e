"""Requests as raw bytes over a real socket, for what no well-behaved client would send."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
HEAD = b"POST /cds-services/a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


class Served:
    """A process that serves tiny_app."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def send(self, raw: bytes, *, half_close: bool = False) -> bytes:
        """What comes back until the answer is whole or the connection is closed."""
        with self.connect() as line:
            try:
                line.sendall(raw)
                if half_close:
                    line.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused while sending: the answer is what matters
            return read_answer(line)


def read_answer(line: socket.socket) -> bytes:
    answer = b""
    while not is_whole(answer):
        try:
            piece = line.recv(65536)
        except ConnectionResetError:
            break
        if not piece:
            break
        answer += piece
    return answer


def is_whole(answer: bytes) -> bool:
    head, end, body = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
    if not end:
        return False
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return len(body) >= int(lengths[0]) if lengths else False


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1]) if answer else 0


@contextmanager
def served(*, body_deadline_s: float = 30.0) -> Iterator[Served]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(Path(__file__).with_name("tiny_app.py")), str(port), str(body_deadline_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY)
    try:
        wait_until_open(port)
        yield Served(process, port)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def wait_until_open(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the server did not start")
