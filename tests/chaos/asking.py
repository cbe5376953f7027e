"""One question over HTTP with everything that came back, for what the quick client of the bench leaves out."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from tests.chaos.ledger import HOOK, Ledger

READY_S = 5.0


def is_in_time(seconds: float) -> bool:
    """Whether it was ready again soon enough; on a machine where others run as well it takes longer by their share."""
    return seconds < READY_S * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@dataclass(frozen=True)
class Reply:
    status: int
    retry_after: str | None
    body: bytes
    seconds: float

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def ask(port: int, path: str, body: bytes | None = None, *, timeout_s: float = 10.0) -> Reply:
    """The answer to a GET, or to a POST of the body, on a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    begun = time.perf_counter()
    try:
        method = "GET" if body is None else "POST"
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        return Reply(response.status, response.getheader("Retry-After"), content, time.perf_counter() - begun)
    finally:
        connection.close()


def ask_hook(port: int, ledger: Ledger, number: int | None = None) -> Reply:
    """The answer to this hook, a new one unless it is numbered, kept in the ledger."""
    asked = ledger.next_number() if number is None else number
    reply = ask(port, HOOK, ledger.body(asked))
    ledger.note(asked, reply.status, reply.body)
    return reply


def not_ready(port: int) -> dict[str, str]:
    """What /readyz says is wrong, empty when it says ready; the status agrees with the text."""
    reply = ask(port, "/readyz")
    problems: dict[str, str] = reply.document.get("problems", {})
    assert reply.status == (503 if problems else 200)
    assert (reply.retry_after is not None) == bool(problems)
    return problems
