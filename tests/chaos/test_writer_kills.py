"""THREATS 82 for the writer alone: SIGKILL loses nothing acknowledged and doubles nothing."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from time import sleep

import pytest

from cds_service.storage.audit_log import verify_chain
from cds_service.storage.schema import migrate
from cds_service.storage.sessions import open_engine
from tests.storage.builders import keyring

KILLS = 12
ROOT = Path(__file__).parents[2]


def acknowledged_until_killed(url: str, run: str, after_s: float) -> dict[str, str]:
    """Keys and ids acknowledged by a process that was killed this long after its first acknowledgment."""
    command = [sys.executable, "-m", "tests.chaos.writer_process", url, run]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        sleep(after_s)
        process.kill()
        lines = (first + process.stdout.read()).decode().splitlines(keepends=True)
    return dict(line.split() for line in lines if line.endswith("\n"))  # type: ignore[misc]


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/cds.db"
    migrate(url)
    chance = random.Random(20260314)
    acknowledged: dict[str, str] = {}
    for run in range(KILLS):
        acknowledged |= acknowledged_until_killed(url, str(run), chance.uniform(0.0, 0.15))

    with closing(sqlite3.connect(tmp_path / "cds.db")) as connection:
        rows = connection.execute("SELECT hook_instance, id FROM predictions").fetchall()
        audited = connection.execute("SELECT count(*) FROM audit WHERE action = 'predict'").fetchone()[0]
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
    stored = dict(rows)
    engine = open_engine(url)
    broken = verify_chain(engine, keyring())
    engine.dispose()
    assert len(acknowledged) > KILLS
    assert {key: stored.get(key) for key in acknowledged} == {
        key: value.replace("-", "") for key, value in acknowledged.items()
    }
    assert len(rows) == len(stored) == audited
    assert (sound, broken) == ("ok", None)
