"""Between granian and the WSGI application: it is run only for a request that is here whole.

A slow or half-sent request therefore costs memory up to the body limit and nothing else. What every opened chart asks
goes through the application in rounds, anything else on a thread (`lanes.py`). The thread that ran the
application also sends its answer; the request's coroutine is finished afterwards, when the loop is awake anyway,
which saves waking it. Measured against the alternatives in docs/decisions/http-server.md.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, cast

from granian.rsgi import ProtocolClosed, ProtocolError  # type: ignore[attr-defined]

from cds_service import logs
from cds_service.errors import BadRequest, CdsError, TooLarge, Unavailable
from cds_service.rounds import Rounds
from cds_service.runtime import collect_rarely
from cds_service.web.lanes import Lane, Threads
from cds_service.web.problems import Refusal, problem_body
from cds_service.web.wsgi_call import Answer, Application, Scope, call

log = logs.get_logger(__name__)

# Measured in docs/decisions/performance.md: more threads pass the interpreter lock around at a price of a fifth of a
# call. These keep the interpreter busy while some of them wait for the database, whose commit takes all that wait.
THREADS = 8
WAITING_LIMIT = 512  # requests whole but not begun, in each lane; at 1,000 answers a second half a second's work
WAITING_DEADLINE_S = 2.0  # as long as the writer may take: who waited this long for a thread is told to come back
BODY_DEADLINE_S = 30.0
# Declared lengths of all large bodies on their way, so that senders cannot fill memory. Small ones are not counted:
# as many as there can be connections fit into as much again, and half-sent large bodies stop no ordinary call.
BODIES_LIMIT_BYTES = 256 * 1024 * 1024
SMALL_BODY_BYTES = 64 * 1024
# Answered by a thread of their own: a service that is busy or waits for its database is alive, and says what is wrong.
_HEALTH = ("/livez", "/readyz", "/metrics")
# Asked each time a chart is opened. With a large body it gets a thread: who shares a round waits for the slowest.
_STAGED = ("/cds-services/vitals-risk",)
_TICK_S = 0.25


class Exchange(Protocol):
    """RSGI's protocol: the body of one request in, its answer out."""

    async def __call__(self) -> bytes:
        """The whole body."""

    def __aiter__(self) -> Any:
        """The body in pieces."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the answer; may be called from any thread."""


class _Job(NamedTuple):
    scope: Scope
    exchange: Exchange
    body: bytes
    finished: asyncio.Future[None]
    deadline: float


class _Half(NamedTuple):
    """A request whose body is on its way."""

    deadline: float
    scope: Scope
    task: asyncio.Task[None]


class Gateway:
    """RSGI application over a WSGI one: `start` gives that one when the worker begins, `drain` ends it."""

    def __init__(
        self,
        start: Callable[[], tuple[Application, Callable[[], None]]],
        *,
        max_body_bytes: int,
        threads: int = THREADS,
        body_deadline_s: float = BODY_DEADLINE_S,
    ) -> None:
        self._start = start
        self._max_body_bytes = max_body_bytes
        self._threads = threads
        self._body_deadline_s = body_deadline_s
        self._answered: list[asyncio.Future[None]] = []
        self._reading: dict[Exchange, _Half] = {}
        self._reserved_bytes = 0
        self._ending = False

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start application and lanes in the worker's process."""
        self._loop = loop
        self._parent = os.getppid()
        self._application, self._drain = self._start()
        collect_rarely()
        self._lane: Lane = Threads(self._threads, "cds-http")
        self._health, self._rounds = Threads(1, "cds-health"), Rounds("cds-rounds")
        loop.add_signal_handler(signal.SIGTERM, self._end)
        loop.call_later(_TICK_S, self._tick)

    def _end(self) -> None:
        """SIGTERM: nobody who sent half a body is waited for. What granian does of itself it does for SIGINT too."""
        self._ending = True
        os.kill(os.getpid(), signal.SIGINT)

    def __rsgi_del__(self, _loop: asyncio.AbstractEventLoop) -> None:
        """After SIGTERM: every request that was taken is answered, then the application is drained."""
        end = time.monotonic() + self._body_deadline_s
        for lane in (self._lane, self._health, self._rounds):
            lane.end(max(0.0, end - time.monotonic()))
        self._drain()

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Receive the request whole, hand it to its lane, and end once it is answered."""
        if self._answered:
            self._finish_answered()
        try:
            body = await self._body(scope, exchange)
            if body is None:
                return
            lane = self._lane_of(scope.path, body)
            if lane.waiting() >= WAITING_LIMIT:
                raise Unavailable("too many requests are waiting", retry_after_s=1)
        except CdsError as refusal:
            send(exchange, refusal_answer(refusal, scope.path))
            return
        finished = self._loop.create_future()
        job = _Job(scope, exchange, body, finished, time.monotonic() + WAITING_DEADLINE_S)
        lane.begin(partial(self._serve, job))
        await finished

    def _lane_of(self, path: str, body: bytes) -> Lane:
        if path in _HEALTH:
            return self._health
        is_staged = path in _STAGED and len(body) <= SMALL_BODY_BYTES and self._rounds.keeps_up()
        return self._rounds if is_staged else self._lane

    async def _body(self, scope: Scope, exchange: Exchange) -> bytes | None:
        """The whole body within its limits; None when the sender was told meanwhile that it came too late."""
        declared = scope.headers.get("content-length")
        if declared is None and scope.headers.get("transfer-encoding") is None:
            return b""
        length = self._max_body_bytes if declared is None else _length(declared)
        if length > self._max_body_bytes:
            raise TooLarge(f"the body is larger than {self._max_body_bytes} bytes")
        reserved = length if length > SMALL_BODY_BYTES else 0
        if reserved and self._reserved_bytes + reserved > BODIES_LIMIT_BYTES:
            raise Unavailable("too many large bodies are on their way", retry_after_s=1)
        self._reserved_bytes += reserved
        task = cast(asyncio.Task[None], asyncio.current_task())
        self._reading[exchange] = _Half(time.monotonic() + self._body_deadline_s, scope, task)
        try:
            body = await exchange() if declared is not None else await self._pieces(exchange)
        except (ProtocolClosed, ProtocolError):
            body = None
        except asyncio.CancelledError:
            if exchange in self._reading:
                raise
            body = None  # by us, who have told the sender
        finally:
            self._reserved_bytes -= reserved
            in_time = self._reading.pop(exchange, None)
        if body is None and in_time is not None:
            raise BadRequest("the body broke off before its end")
        return body if in_time is not None else None

    async def _pieces(self, exchange: Exchange) -> bytes | None:
        """A body of undeclared length; None when it broke off.

        granian gives one empty piece at the end of a body, and two where it broke off (a test holds it to that).
        """
        pieces: list[bytes] = []
        size = 0
        async for piece in exchange:
            size += len(piece)
            if size > self._max_body_bytes:
                raise TooLarge(f"the body is larger than {self._max_body_bytes} bytes")
            pieces.append(piece)
        return b"".join(pieces) if pieces.count(b"") == 1 else None

    def _tick(self) -> None:
        """What nobody else wakes up for: late bodies, a killed parent, a round that does not end."""
        self._finish_answered()
        if os.getppid() != self._parent:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        if not self._rounds.keeps_up() and (held_up := list(self._rounds.give_back())):
            log.error("calls_held_up", count=len(held_up))
            for work in held_up:
                self._lane.begin(work)
        now = time.monotonic()
        refusal = Unavailable("the service is ending", retry_after_s=1) if self._ending else Refusal(408)
        late = [exchange for exchange, half in self._reading.items() if half.deadline <= now or self._ending]
        for exchange in late:
            half = self._reading.pop(exchange)
            send(exchange, refusal_answer(refusal, half.scope.path))
            half.task.cancel()
        self._loop.call_later(_TICK_S, self._tick)

    def _finish_answered(self) -> None:
        answered, self._answered = self._answered, []
        for finished in answered:
            if not finished.done():
                finished.set_result(None)

    def _serve(self, job: _Job) -> None:
        """Run the application on the request and send its answer."""
        send(job.exchange, self._answer(job))
        self._answered.append(job.finished)

    def _answer(self, job: _Job) -> Answer:
        if job.deadline <= time.monotonic():
            return refusal_answer(Unavailable("too many requests are waiting", retry_after_s=1), job.scope.path)
        try:
            return call(self._application, job.scope, job.body)
        except Exception as error:  # the application answers its own failures: this is the server's last word
            log.error("application_failed", exception=type(error).__name__, frames=logs.frames(error))
            return refusal_answer(CdsError("an unexpected error occurred"), job.scope.path)


def send(exchange: Exchange, answer: Answer) -> None:
    """Send the answer, unless the connection is gone."""
    try:
        exchange.response_bytes(answer.status, answer.headers, answer.body)
    except (ProtocolClosed, ProtocolError):
        log.info("answer_not_taken", status=answer.status)


def refusal_answer(error: CdsError, path: str) -> Answer:
    """The error as the application would have answered it at this path."""
    body, media = problem_body(error, path)
    headers = [("content-type", media), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")]
    if isinstance(error, Unavailable):
        headers.append(("retry-after", str(error.retry_after_s)))
    return Answer(error.status, headers, body)


def _length(declared: str) -> int:
    if not declared.isascii() or not declared.isdigit():
        raise BadRequest("must be one whole number", where="Content-Length")
    return int(declared[:20])
