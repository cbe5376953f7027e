"""THREATS 82 for the writer alone: SIGKILL loses nothing acknowledged and doubles nothing."""

from __future__ import annotations

import os
import random
import signal
from time import sleep
from uuid import UUID

import pytest

from tests.chaos.forks import Forks, forks_of
from tests.databases import Database

KILLS = 12


def acknowledged_until_killed(forks: Forks, url: str, run: str, after_s: float) -> dict[str, str]:
    """Keys and ids acknowledged by a process that was killed this long after its first acknowledgment."""
    process = forks.start(url, run)
    first = forks.line()
    sleep(after_s)
    os.kill(process, signal.SIGKILL)
    return dict(line.split() for line in (first, *forks.rest()))


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_doubled_by_kills(database: Database) -> None:
    chance = random.Random(20260314)
    acknowledged: dict[str, str] = {}
    with forks_of("tests.chaos.writer_process") as forks:
        for run in range(KILLS):
            acknowledged |= acknowledged_until_killed(forks, database.url, str(run), chance.uniform(0.0, 0.15))

    rows = database.rows("SELECT hook_instance, id FROM predictions")
    audited = database.rows("SELECT count(*) FROM audit WHERE action = 'predict'")
    stored = {key: UUID(str(found)) for key, found in rows}
    assert len(acknowledged) > KILLS
    assert {key: stored.get(key) for key in acknowledged} == {key: UUID(found) for key, found in acknowledged.items()}
    assert len(rows) == len(stored) == audited[0][0]
    assert (database.damage(), database.first_broken()) == ([], None)
