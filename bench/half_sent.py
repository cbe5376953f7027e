"""A thousand requests sent by half and held, while other clients ask: what the others notice of it.

`python -m bench.half_sent [seconds] [declared bytes]` says it in one line of JSON.
"""

from __future__ import annotations

import json
import resource
import selectors
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from statistics import quantiles

from bench.bodies import hook_body, numbered
from bench.client import HOST, Connection, Result, post
from bench.processes import memory_mib
from bench.servers import Running, service

_PATH = "/cds-services/vitals-risk"
_LINES = 1000
_BASELINE_S = 5.0
_ASKERS = 4
_PAUSE_S = 0.05  # four clients then ask 60 times a second, a tenth of what the service can


@dataclass(frozen=True, slots=True)
class Found:
    """What the others were answered and how fast, without and with the half-sent requests, and what these cost."""

    held_s: float
    fewest_held: int
    replaced: int
    statuses: dict[int, int]
    p99_ms_alone: float
    p50_ms: float
    p99_ms: float
    slowest_ms: float
    memory_mib_alone: float
    memory_mib: float


class HalfSent:
    """Connections that sent half a request; one the server closes or answers is replaced, as an attacker would."""

    def __init__(self, port: int, requests: list[bytes]) -> None:
        self._port = port
        self._requests = requests
        self._selector = selectors.DefaultSelector()
        self.replaced = 0
        for half in requests:
            self._open(half)

    def held(self) -> int:
        """How many are open now."""
        return len(self._selector.get_map())

    def tend(self) -> None:
        """Replace those the server let go."""
        for key, _ in self._selector.select(timeout=0.05):
            self._close(key)
            self._open(key.data)
            self.replaced += 1

    def close(self) -> None:
        """Let go of all."""
        for key in list(self._selector.get_map().values()):
            self._close(key)

    def _open(self, half: bytes) -> None:
        line = socket.create_connection((HOST, self._port), timeout=10)
        line.sendall(half)
        self._selector.register(line, selectors.EVENT_READ, half)

    def _close(self, key: selectors.SelectorKey) -> None:
        self._selector.unregister(key.fileobj)
        if isinstance(key.fileobj, socket.socket):
            key.fileobj.close()


def measure(directory: Path, *, seconds: float = 60.0, declared: int | None = None) -> Found:
    """Hold half-sent requests for so long; bodies say they are this long, else as long as they would be."""
    _allow_open_files(_LINES + 200)
    numbers = count()
    with service(directory) as running:
        alone = Result()
        with asking(running, numbers, alone):
            time.sleep(_BASELINE_S)
        before = max(memory_mib(running.pid))
        line = HalfSent(running.port, half_requests(declared))
        result, fewest, most = Result(), _LINES, before
        end = time.monotonic() + seconds
        with asking(running, numbers, result):
            while time.monotonic() < end:
                fewest = min(fewest, line.held())
                line.tend()
                most = max(most, *memory_mib(running.pid))
        line.close()
    cuts = quantiles(result.seconds, n=100)
    return Found(
        held_s=seconds,
        fewest_held=fewest,
        replaced=line.replaced,
        statuses=dict(Counter(result.statuses) + Counter(alone.statuses)),
        p99_ms_alone=round(quantiles(alone.seconds, n=100)[98] * 1000, 1),
        p50_ms=round(cuts[49] * 1000, 1),
        p99_ms=round(cuts[98] * 1000, 1),
        slowest_ms=round(max(result.seconds) * 1000, 1),
        memory_mib_alone=round(before, 1),
        memory_mib=round(most, 1),
    )


def half_requests(declared: int | None = None) -> list[bytes]:
    """Half of them end within a header, half within the body."""
    whole = post(_PATH, hook_body())
    head, _, body = whole.partition(b"\r\n\r\n")
    length = declared or len(body)
    head_only = head[: len(head) // 2]
    with_body = post(_PATH, bytes(length)).partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body[: len(body) // 2]
    return [head_only, with_body] * (_LINES // 2)


@contextmanager
def asking(running: Running, numbers: Iterator[int], result: Result) -> Iterator[None]:
    """Clients that ask in turn meanwhile; the last one opens a connection for each call."""
    body, stopped, results = hook_body(), threading.Event(), [Result() for _ in range(_ASKERS)]

    def ask(own: Result, anew: bool) -> None:
        connection = Connection(running.port)
        while not stopped.wait(_PAUSE_S):
            begun = time.perf_counter()
            if anew:
                connection.close()
                connection = Connection(running.port)
            status, _ = connection.call(post(_PATH, numbered(body, next(numbers))))
            own.count(status, time.perf_counter() - begun)
        connection.close()

    threads = [threading.Thread(target=ask, args=(own, own is results[-1])) for own in results]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
    for own in results:
        result.seconds += own.seconds
        for status, found in own.statuses.items():
            result.statuses[status] = result.statuses.get(status, 0) + found


def _allow_open_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main(arguments: list[str]) -> None:
    """Measure in a directory of its own and print what was found."""
    seconds = float(arguments[0]) if arguments else 60.0
    declared = int(arguments[1]) if len(arguments) > 1 else None
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(asdict(measure(Path(name), seconds=seconds, declared=declared))))


if __name__ == "__main__":
    main(sys.argv[1:])
