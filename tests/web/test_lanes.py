"""Which thread runs a request: calls of every opened chart share one, what takes long or says how we are does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from cds_service import rounds
from cds_service.rounds import Rounds
from cds_service.web.gateway import SMALL_BODY_BYTES, Gateway

HOOK = "/cds-services/vitals-risk"


class Exchange:
    """One request's body in, its answer out."""

    def __init__(self, body: bytes) -> None:
        self.sent = body
        self.answered = b""

    async def __call__(self) -> bytes:
        return self.sent

    def response_bytes(self, _status: int, _headers: list[tuple[str, str]], body: bytes) -> None:
        self.answered = body


def name_of_thread(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [threading.current_thread().name.encode()]


def thread_of(path: str, body: bytes, answered: threading.Event | None = None) -> str:
    scope = SimpleNamespace(
        method="POST",
        path=path,
        query_string="",
        scheme="http",
        server="127.0.0.1:80",
        client="127.0.0.1:1",
        headers={"content-length": str(len(body))},
    )
    exchange = Exchange(body)

    async def served() -> None:
        gateway = Gateway(lambda: (name_of_thread, lambda: None), max_body_bytes=2 * SMALL_BODY_BYTES)
        loop = asyncio.get_running_loop()
        gateway.__rsgi_init__(loop)
        async with asyncio.timeout(5.0):
            await gateway.__rsgi__(scope, exchange)  # type: ignore[arg-type]
        if answered is not None:
            answered.set()
        gateway.__rsgi_del__(loop)

    asyncio.run(served())
    return exchange.answered.decode().rstrip("-0123456789")


@pytest.mark.parametrize(
    ("path", "size", "thread"),
    [
        (HOOK, SMALL_BODY_BYTES, "cds-rounds"),
        (HOOK, SMALL_BODY_BYTES + 1, "cds-http"),
        ("/cds-services/rare-disease", 10, "cds-http"),
        ("/predict", 10, "cds-http"),
        ("/readyz", 10, "cds-health"),
    ],
)
def test_a_request_is_run_in_its_lane(path: str, size: int, thread: str) -> None:
    assert thread_of(path, b"x" * size) == thread


def test_while_a_round_does_not_end_its_calls_are_run_by_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rounds, "keeps_up", lambda _: False)

    assert thread_of(HOOK, b"{}") == "cds-http"


def test_who_waits_for_a_round_that_does_not_end_is_run_by_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "PATIENCE_S", 0.3)
    has_begun, may_end = threading.Event(), threading.Event()
    real = Rounds.__init__

    def stuck() -> None:
        has_begun.set()
        may_end.wait(5.0)

    def begun_with_a_call_that_is_stuck(made: Rounds, name: str) -> None:
        real(made, name)
        made.begin(stuck)
        has_begun.wait(5.0)

    monkeypatch.setattr(Rounds, "__init__", begun_with_a_call_that_is_stuck)
    try:
        assert thread_of(HOOK, b"{}", may_end) == "cds-http"
    finally:
        may_end.set()
