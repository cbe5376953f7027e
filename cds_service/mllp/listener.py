"""The MLLP listener: a thread with an event loop that takes connections, and threads its messages are handled in."""

from __future__ import annotations

import asyncio
import socket
import threading
from functools import partial
from ipaddress import ip_address
from typing import Any

from cds_service import logs
from cds_service.errors import ConfigurationError
from cds_service.mllp.connection import Connection, End, Receiver, Stream
from cds_service.mllp.gate import Gate, Refusal, Refused
from cds_service.mllp.pool import ThreadPool
from cds_service.mllp.sockets import close_stream, listening, open_stream
from cds_service.mllp.tls import certificate_names, context_from_settings
from cds_service.monitoring import mllp as metrics
from cds_service.settings import Settings
from cds_service.settings.peers import Address

log = logs.get_logger(__name__)

# One sender at its limit, all its messages stuck, leaves so many threads to the others; chosen by us.
SPARE_THREADS = 8
_PAUSE_S = 0.1  # after accepting failed, for want of file descriptors above all
_SAY_REFUSED_EVERY_S = 10.0
_LAST_WORD_S = 2.0  # for connections to be let go of after the deadline
_EXPECTED = frozenset({End.LEFT, End.LOST, End.IDLE, End.DRAINED})  # counted, and not worth a line each


class MllpListener:
    """Takes messages from `start` until `drain`. No failure of a message or a connection reaches another one."""

    def __init__(self, settings: Settings, receiver: Receiver) -> None:
        if settings.mllp_bind is None:
            raise ConfigurationError("say where to listen", where="CDS_MLLP_BIND")
        self._bind = settings.mllp_bind
        self._limits = settings.clients.mllp.limits
        self._receiver = receiver
        self._gate = Gate(settings)
        self._tls = context_from_settings(settings)
        self._connections: dict[asyncio.Task[None], Connection | None] = {}
        self._said: dict[Refusal, float] = {}
        self._thread = threading.Thread(target=self._run, name="cds-mllp", daemon=True)
        self._is_up = threading.Event()
        self._drain_s = 0.0
        self._complete = False

    def start(self) -> None:
        """Listen; ConfigurationError when the address cannot be had."""
        self._socket = listening(self._bind)
        self._thread.start()
        self._is_up.wait()
        log.info("mllp_started")

    def healthy(self) -> bool:
        """Whether connections are taken."""
        return self._thread.is_alive() and not self._stopping.is_set()

    def drain(self, timeout_s: float = 10.0) -> bool:
        """Take no more connections, answer what was read, close; whether that was done in time."""
        self._drain_s = timeout_s
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout_s + 2 * _LAST_WORD_S)
        log.info("mllp_drained", complete=self._complete)
        return self._complete

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_say_loop_failed)
        self._stopping = asyncio.Event()
        self._threads = ThreadPool(self._limits.peer_connections + SPARE_THREADS, name="cds-mllp")
        accepting = asyncio.create_task(self._accept_all())
        self._is_up.set()
        await self._stopping.wait()
        accepting.cancel()
        await asyncio.wait([accepting])
        self._socket.close()
        self._complete = await self._let_go()
        self._threads.close()

    async def _let_go(self) -> bool:
        """End every connection once it is answered; whether all were before the deadline."""
        for task, connection in self._connections.items():
            if connection is None:
                task.cancel()  # its handshake is not over: nothing was read
            else:
                connection.drain()
        late = set(self._connections)
        if late:
            _, late = await asyncio.wait(late, timeout=self._drain_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=_LAST_WORD_S)
        return not late

    async def _accept_all(self) -> None:
        while True:
            try:
                accepted, (host, *_) = await self._loop.sock_accept(self._socket)
            except OSError as error:
                log.error("mllp_accept_failed", exception=type(error).__name__, reason=error.strerror)
                await asyncio.sleep(_PAUSE_S)
                continue
            task = asyncio.create_task(self._serve_connection(accepted, ip_address(host)))
            self._connections[task] = None
            task.add_done_callback(partial(self._forget, accepted))

    def _forget(self, accepted: socket.socket, task: asyncio.Task[None]) -> None:
        accepted.close()
        del self._connections[task]

    async def _serve_connection(self, accepted: socket.socket, address: Address) -> None:
        """One connection from its arrival to its end; raises nothing."""
        try:
            with self._gate.arrival(address), metrics.CONNECTIONS.track_inprogress():
                await self._talk(accepted, address)
        except Refused as refused:
            self._count_refused(refused.reason, address)
        # Not narrower: what is foreseen has ended as a reason in `_talk`, so this is a fault of ours. It ends one
        # connection, and nobody asks this task what it raised.
        except Exception as error:
            log.error("mllp_connection_failed", exception=type(error).__name__, frames=logs.frames(error))

    async def _talk(self, accepted: socket.socket, address: Address) -> None:
        try:
            reader, writer = await open_stream(accepted, self._tls)
        except OSError:
            self._count_refused(Refusal.HANDSHAKE, address)
            return
        try:
            names = certificate_names(writer.get_extra_info("ssl_object"))
            with self._gate.sender(address, names) as sender:
                stream = Stream(reader, writer, sender)
                connection = Connection(stream, self._limits, self._receiver, self._threads)
                self._connect(connection)
                _count_end(await connection.converse(), connection, sender.name)
        finally:
            await close_stream(writer)

    def _connect(self, connection: Connection) -> None:
        """Make the connection of this task known to `drain`."""
        task = asyncio.current_task()
        if task is not None:
            self._connections[task] = connection

    def _count_refused(self, reason: Refusal, address: Address) -> None:
        """Count each, and say it now and then: a sender that keeps trying must not fill the log."""
        metrics.REFUSED.labels(reason.value).inc()
        now = self._loop.time()
        if now >= self._said.get(reason, 0.0):
            self._said[reason] = now + _SAY_REFUSED_EVERY_S
            log.warning("mllp_connection_refused", reason=reason.value, address=str(address))


def _count_end(end: End, connection: Connection, sender: str) -> None:
    metrics.CLOSED.labels(end.value).inc()
    if end not in _EXPECTED or connection.faults:
        log.warning(
            "mllp_connection_ended",
            reason=end.value,
            peer=sender,
            count=connection.messages,
            faults=connection.faults,
        )


def _say_loop_failed(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What the event loop could not tell anyone else; its message may hold bytes of a sender and stays out."""
    error = context.get("exception")
    log.error("mllp_loop_failed", exception=type(error).__name__, frames=logs.frames(error) if error else [])
