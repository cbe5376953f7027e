"""THREATS 74, 75 and 77 over HTTP: the database locked, away, replaced, full or of another revision, while serving."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import monotonic

import pytest

from bench.processes import tree
from bench.servers import Running, migrate, served, service, settings
from tests.chaos.asking import Reply, ask, ask_hook, not_ready
from tests.chaos.ledger import Ledger, assert_sound, repeat_all
from tests.storage.builders import eventually

IN_TIME_S = 2.5
pytestmark = pytest.mark.slow


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with service(tmp_path) as found:
        yield found


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Another process's transaction holds the write lock meanwhile."""
    code = "import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('BEGIN EXCLUSIVE'); print(flush=True); input()"
    command = [sys.executable, "-c", code, str(directory / "cds.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def assert_unavailable(reply: Reply) -> None:
    """503 in time, with when to come again, as an OperationOutcome."""
    assert reply.status == 503, reply.body
    assert reply.retry_after is not None
    assert reply.seconds < IN_TIME_S
    assert reply.document["resourceType"] == "OperationOutcome"


def assert_recovers(running: Running, directory: Path, ledger: Ledger) -> None:
    """Ready again by itself, without traffic; then everything asked is answered and stored once."""
    begun = monotonic()
    assert eventually(lambda: not not_ready(running.port), within_s=5.0)
    assert monotonic() - begun < 5.0
    repeat_all(directory, ledger, running.port)


def test_74_a_locked_database_is_503_in_time_and_is_taken_up_again(running: Running, tmp_path: Path) -> None:
    ledger = Ledger()
    assert ask_hook(running.port, ledger).status == 200
    with locked(tmp_path):
        assert_unavailable(ask_hook(running.port, ledger))
        assert "writer" in not_ready(running.port)
        assert_unavailable(ask_hook(running.port, ledger))
        assert ask(running.port, "/livez").status == 200

    assert_recovers(running, tmp_path, ledger)


def test_74_files_taken_away_are_503_and_no_empty_database_takes_their_place(running: Running, tmp_path: Path) -> None:
    ledger = Ledger()
    stored = prediction_path(ask_hook(running.port, ledger))
    assert ask(running.port, stored).status == 200
    kept = tmp_path / "kept"
    kept.mkdir()
    files = list(tmp_path.glob("cds.db*"))
    for file in files:
        file.rename(kept / file.name)
    assert not_ready(running.port)
    assert_unavailable(ask_hook(running.port, ledger))
    assert ask(running.port, stored).status == 503
    assert not_ready(running.port)
    assert list(tmp_path.glob("cds.db*")) == []
    for file in files:
        (kept / file.name).rename(file)

    assert_recovers(running, tmp_path, ledger)


def test_74_a_replaced_file_is_written_and_read_from_then_on(running: Running, tmp_path: Path) -> None:
    """An operator puts a backup in place: what is read must be what is there, not the file that was unlinked."""
    ledger = Ledger()
    before = prediction_path(ask_hook(running.port, ledger))
    assert ask(running.port, before).status == 200
    backup = tmp_path / "backup"
    backup.mkdir()
    migrate(backup)
    for file in tmp_path.glob("cds.db*"):
        file.unlink()
    shutil.copy(backup / "cds.db", tmp_path / "cds.db")

    later = ask_hook(running.port, ledger)

    assert later.status == 200
    assert ask(running.port, prediction_path(later)).status == 200
    assert ask(running.port, before).status == 404
    ledger.acknowledged.pop(0)
    assert_recovers(running, tmp_path, ledger)


def prediction_path(reply: Reply) -> str:
    """Where the prediction of the first card is read."""
    return f"/predictions/{reply.document['cards'][0]['uuid']}"


def test_77_another_revision_is_refused_at_start_and_told_while_serving(running: Running, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "cds.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    command = [sys.executable, "-m", "cds_service.cli", "serve"]
    env = {**os.environ, **settings(tmp_path, 1)}
    started = subprocess.run(command, env=env, capture_output=True, text=True, timeout=20)

    assert started.returncode == 1
    assert started.stdout == ""
    assert started.stderr.splitlines() == [
        "cds: database: is at revision 9999, which this version does not know",
    ]
    assert not_ready(running.port) == {"database": "no current schema found"}


def fill(running: Running, ledger: Ledger) -> Reply:
    """Ask until the disk takes no more; the first answer that is not 200."""
    for _ in range(400):
        reply = ask_hook(running.port, ledger)
        if reply.status != 200:
            return reply
    raise AssertionError("the disk was never full")


def assert_survives_full(running: Running, directory: Path, ledger: Ledger) -> None:
    """Refused in time while full, not ready, alive; what was acknowledged is there, and reads as it was."""
    assert ask_hook(running.port, ledger).status == 200
    assert_unavailable(fill(running, ledger))
    assert "writer" in not_ready(running.port)
    assert_unavailable(ask_hook(running.port, ledger))
    assert ask(running.port, "/livez").status == 200
    with closing(sqlite3.connect(f"file:{directory}/cds.db?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def limit_files(running: Running, limit: int) -> None:
    """Let no process of the service write beyond so many bytes of any file; -1 lifts it."""
    for pid in tree(running.pid):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def test_75_a_file_that_may_not_grow_is_503_and_leaves_no_half(running: Running, tmp_path: Path) -> None:
    ledger = Ledger()
    limit_files(running, 400_000)
    assert_survives_full(running, tmp_path, ledger)
    limit_files(running, resource.RLIM_INFINITY)

    assert_recovers(running, tmp_path, ledger)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MiB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk takes root; the limit on file sizes is tested everywhere")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_75_a_full_disk_is_503_and_is_taken_up_again_once_there_is_room(small_disk: Path) -> None:
    """The log is on the same disk: that it cannot be written must not fail a call."""
    ledger = Ledger()
    with service(small_disk) as running:
        filler = small_disk / "filler"
        filler.write_bytes(bytes(1_200_000))
        assert_survives_full(running, small_disk, ledger)
        filler.unlink()

        assert_recovers(running, small_disk, ledger)
    assert_sound(small_disk, ledger)


def test_74_a_database_away_at_start_is_waited_for(tmp_path: Path) -> None:
    """Locked by another process when the service starts: it starts, says so, and is ready once it can be."""
    migrate(tmp_path)
    ledger = Ledger()
    with ExitStack() as stack:
        with locked(tmp_path):
            running = stack.enter_context(served(tmp_path))
            assert_unavailable(ask_hook(running.port, ledger))
            assert not_ready(running.port)

        assert_recovers(running, tmp_path, ledger)
