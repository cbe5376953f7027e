"""One connection's conversation: its messages are handled one after the other and answered in the order they came.

While a message is being handled nothing more is read from its connection, so a sender is slowed down by TCP and holds
at most one message and the 64 KiB read with it. Messages of other connections go on meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TypeAlias

from cds_service import logs
from cds_service.domain.actor import Actor
from cds_service.hl7.framing import Broken, Deframer, framed
from cds_service.mllp.deadline import Deadline
from cds_service.mllp.pool import Later, ThreadPool
from cds_service.monitoring import mllp as metrics
from cds_service.settings.peers import MllpLimits

log = logs.get_logger(__name__)

Answers: TypeAlias = Sequence[bytes]

_READ_BYTES = 64 * 1024
# Chosen by us: some thirty times an ordinary message. One over it takes long, and others are not taken along with it.
_LONG_BYTES = 64 * 1024
# Chosen by us: one with every message is a sender's habit, so many without any message between them are a flood.
_FAULTS_IN_A_ROW = 100
# After a refusal bytes still on their way are taken for this long: closing at once would destroy the refusal (RFC 9112,
# 9.6 describes the same for HTTP).
_LINGER_S = 2.0


class End(StrEnum):
    """Why a connection ended."""

    LEFT = "left"
    LOST = "lost"
    IDLE = "idle"
    SLOW = "slow"
    UNREAD = "answers_not_read"
    UNREADABLE = "unreadable"
    FAULTS = "too_many_faults"
    FAILED = "handler_failed"
    DRAINED = "drained"


class _Ended(Exception):
    def __init__(self, reason: End) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Receiver:
    """What is done with what arrives, from several threads at once.

    `handle` gives the acknowledgments of a message in their order: none, one, or in enhanced mode two. `refuse` may
    keep bytes that are no message, and gives the answer to them, if any. Both may give them later, once it is stored.
    """

    handle: Callable[[bytes, Actor], Answers | Later[Answers]]
    refuse: Callable[[Broken, Actor], Answers | Later[Answers]]


@dataclass(frozen=True, slots=True)
class Stream:
    """Both directions of an open connection, and who is at its other end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sender: Actor


class Connection:
    """Reads, has each message handled, and answers; every wait has its deadline."""

    def __init__(self, stream: Stream, limits: MllpLimits, receiver: Receiver, threads: ThreadPool) -> None:
        self._stream = stream
        self._limits = limits
        self._receiver = receiver
        self._threads = threads
        self._deframer = Deframer(limits.message_bytes)
        self._clock = asyncio.get_running_loop().time
        self._last_message = self._clock()
        self._frame_begun: float | None = None
        self._deadline = Deadline(self._stop_reading)
        self._is_reading = False
        self._is_draining = False
        self._faults_in_a_row = 0
        self.messages = 0
        self.faults = 0

    async def converse(self) -> End:
        """Answer messages until either side ends it; says why it ended."""
        try:
            while data := await self._receive():
                for event in self._deframer.feed(data):
                    await (self._refuse(event) if isinstance(event, Broken) else self._handle(event))
            end = End.LEFT
        except _Ended as ended:
            end = ended.reason
            ended.__traceback__ = None  # the reader keeps what ended it, and that would keep the last message
        finally:
            self._deadline.close()
        with contextlib.suppress(_Ended):
            for broken in self._deframer.close():
                await self._refuse(broken)
        return end

    def drain(self) -> None:
        """Read nothing more; what was read is still answered."""
        self._is_draining = True
        if self._is_reading:
            self._stop_reading()

    async def _receive(self) -> bytes:
        """The next bytes; empty when the sender has left."""
        if self._is_draining:
            raise _Ended(End.DRAINED)
        self._deadline.set(self._latest())
        self._is_reading = True
        try:
            return await self._stream.reader.read(_READ_BYTES)
        except OSError:
            raise _Ended(End.LOST) from None
        finally:
            self._is_reading = False
            self._deadline.lift()

    def _stop_reading(self) -> None:
        """End the read under way, and with it the conversation."""
        self._stream.reader.set_exception(_Ended(self._why_late()))

    def _latest(self) -> float:
        """Until when more must have come. Only whole messages move it on: neither drops of a frame nor junk do."""
        if not self._deframer.in_frame:
            self._frame_begun = None
            return self._last_message + self._limits.idle_s
        if self._frame_begun is None:
            self._frame_begun = self._clock()
        return self._frame_begun + self._limits.frame_s

    def _why_late(self) -> End:
        if self._is_draining:
            return End.DRAINED
        return End.SLOW if self._deframer.in_frame else End.IDLE

    async def _handle(self, message: bytes) -> None:
        begun = time.perf_counter()
        with metrics.IN_FLIGHT.track_inprogress():
            handling = partial(self._receiver.handle, message, self._stream.sender)
            answers = await self._run(handling, is_long=len(message) > _LONG_BYTES)
            await self._send(answers)
        metrics.MESSAGE_SECONDS.observe(time.perf_counter() - begun)
        metrics.messages("answered" if answers else "not_answered").inc()
        self.messages += 1
        self._faults_in_a_row = 0
        self._last_message, self._frame_begun = self._clock(), None

    async def _refuse(self, broken: Broken) -> None:
        metrics.FAULTS.labels(broken.fault.value).inc()
        self.faults += 1
        self._faults_in_a_row += 1
        answers: Answers = ()
        if broken.content:
            refusing = partial(self._receiver.refuse, broken, self._stream.sender)
            answers = await self._run(refusing, is_long=len(broken.content) > _LONG_BYTES)
        await self._send(answers)
        if broken.is_fatal:
            if answers:
                await self._linger()
            raise _Ended(End.UNREADABLE)
        if self._faults_in_a_row >= _FAULTS_IN_A_ROW:
            raise _Ended(End.FAULTS)

    async def _run(self, work: Callable[[], Answers | Later[Answers]], *, is_long: bool) -> Answers:
        try:
            return await self._threads.run(work, is_long=is_long)
        # Not narrower: reading, scoring and storing are behind it, and a fault in any of them must cost this sender
        # its answer, so that it sends again, and no other sender theirs.
        except Exception as error:
            metrics.messages("failed").inc()
            name = type(error).__name__
            log.error("mllp_handler_failed", peer=self._stream.sender.name, exception=name, frames=logs.frames(error))
            raise _Ended(End.FAILED) from None

    async def _send(self, answers: Answers) -> None:
        if not answers:
            return
        self._stream.writer.write(b"".join(framed(answer) for answer in answers))
        if not self._stream.writer.transport.get_write_buffer_size():
            return  # it has left, as an answer to a sender that reads them does
        waiting = asyncio.timeout(self._limits.answer_s)
        try:
            async with waiting:
                await self._stream.writer.drain()
        except OSError:
            raise _Ended(End.UNREAD if waiting.expired() else End.LOST) from None

    async def _linger(self) -> None:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_LINGER_S):
                if self._stream.writer.can_write_eof():
                    self._stream.writer.write_eof()
                while await self._stream.reader.read(_READ_BYTES):
                    pass
