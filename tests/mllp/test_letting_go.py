"""What is left of a conversation that was ended: nothing of what was said in it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from cds_service.domain.actor import Actor
from cds_service.hl7.framing import framed
from cds_service.mllp.connection import Connection, End, Receiver, Stream
from cds_service.mllp.pool import ThreadPool
from cds_service.settings.peers import MllpLimits


class Inline:
    """Handles in the loop's own thread."""

    async def run(self, work: Any, *, is_long: bool) -> Any:
        return work()


@pytest.mark.parametrize("half", [b"", b"\x0bMSH|half"])
def test_what_ended_a_conversation_holds_nothing_of_it(half: bytes) -> None:
    async def conversed() -> tuple[End, BaseException | None]:
        reader = asyncio.StreamReader()
        sender = Actor("monitor", "client", "sender", "north", "test")
        stream = Stream(reader, cast("asyncio.StreamWriter", None), sender)
        limits = MllpLimits(idle_s=0.05, frame_s=0.05)
        receiver = Receiver(lambda *_: (), lambda *_: ())
        reader.feed_data(framed(b"MSH|whole") + half)
        end = await Connection(stream, limits, receiver, cast("ThreadPool", Inline())).converse()
        return end, reader.exception()

    end, kept = asyncio.run(conversed())

    assert end is (End.SLOW if half else End.IDLE)
    assert kept is not None
    assert kept.__traceback__ is None
