"""More callers than threads, and many calls: answers or 503, never a hang, and memory that stays flat."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from bench.bodies import hook_requests
from bench.client import run
from bench.processes import memory_mib
from bench.servers import service
from tests.chaos.ledger import Ledger, assert_sound, repeat_all
from tests.databases import Database

CALLERS = 1500  # the service lets 512 calls wait, and 64 have begun
ANSWERED_IN_S = 20.0
BLOCK = 5000
GROWTH_LIMIT_MIB = 8.0
pytestmark = pytest.mark.slow


async def call_at_once(port: int, ledger: Ledger) -> list[str]:
    """Every caller on a connection of its own, all at the same time; the Retry-After of each refusal."""

    async def call(number: int) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ledger.request(number))
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
        body = await reader.readexactly(int(headers["content-length"]))
        writer.close()
        await writer.wait_closed()
        ledger.note(number, int(head[9:12]), body)
        return headers.get("retry-after", "") if head[9:12] == "503" else "answered"

    return await asyncio.gather(*(call(ledger.next_number()) for _ in range(CALLERS)))


def test_more_connections_than_threads_are_answered_or_told_when_to_come_again(database: Database) -> None:
    ledger = Ledger()
    with service(database.directory, **database.settings) as running:
        begun = time.monotonic()
        told = asyncio.run(call_at_once(running.port, ledger))
        assert time.monotonic() - begun < ANSWERED_IN_S

        assert len(told) == CALLERS
        assert "" not in told
        assert set(ledger.statuses) <= {200, 503}
        assert ledger.statuses[200] >= 256  # half of what may wait: a slow machine tells more of them to come again
        assert_sound(database, ledger)
        repeat_all(database, ledger, running.port)


def test_memory_after_20000_calls_is_what_it_was_after_5000(tmp_path: Path) -> None:
    memory, statuses = [], Counter[int]()
    with service(tmp_path) as running:
        for block in range(4):
            for first in range(block * BLOCK, (block + 1) * BLOCK, 1000):
                statuses.update(run(running.port, hook_requests(1000, first=first), 16).statuses)
            memory.append(max(memory_mib(running.pid)))

    assert statuses == {200: 4 * BLOCK}
    assert memory[-1] - memory[0] < GROWTH_LIMIT_MIB, memory
