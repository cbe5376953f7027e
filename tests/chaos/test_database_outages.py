"""THREATS 74, 75 and 77 over HTTP: the database locked, away, replaced, full or of another revision, while serving."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest

from bench.processes import tree
from bench.servers import Running, migrate, served, service, settings
from tests.chaos.asking import Reply, ask, ask_hook, not_ready
from tests.chaos.ledger import Ledger, Load, assert_sound, repeat_all
from tests.databases import KINDS, Database, a_database
from tests.storage.builders import eventually

IN_TIME_S = 2.5
pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """These faults are a file's; PostgreSQL's are in test_postgres_outages.py, what both share is parametrised."""
    with a_database(request, tmp_path) as database:
        yield database


on_both = pytest.mark.parametrize("database", KINDS, indirect=True)


@pytest.fixture
def running(database: Database) -> Iterator[Running]:
    with served(database.directory, **database.settings) as found:
        yield found


def assert_unavailable(reply: Reply) -> None:
    """503 in time, with when to come again, as an OperationOutcome."""
    assert reply.status == 503, reply.body
    assert reply.retry_after is not None
    assert reply.seconds < IN_TIME_S
    assert reply.document["resourceType"] == "OperationOutcome"


def assert_recovers(running: Running, database: Database, ledger: Ledger) -> None:
    """Ready again by itself, without traffic; then everything asked is answered and stored once."""
    begun = monotonic()
    assert eventually(lambda: not not_ready(running.port), within_s=5.0)
    assert monotonic() - begun < 5.0
    repeat_all(database, ledger, running.port)


@on_both
def test_74_a_locked_database_is_503_in_time_and_is_taken_up_again(running: Running, database: Database) -> None:
    ledger = Ledger()
    assert ask_hook(running.port, ledger).status == 200
    with database.blocked():
        assert_unavailable(ask_hook(running.port, ledger))
        assert "writer" in not_ready(running.port)
        assert_unavailable(ask_hook(running.port, ledger))
        assert ask(running.port, "/livez").status == 200

    assert_recovers(running, database, ledger)


def test_74_files_taken_away_are_503_and_no_empty_database_takes_their_place(
    running: Running, database: Database, tmp_path: Path
) -> None:
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

    assert_recovers(running, database, ledger)


def test_74_a_replaced_file_is_written_and_read_from_then_on(
    running: Running, database: Database, tmp_path: Path
) -> None:
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
    assert_recovers(running, database, ledger)


def prediction_path(reply: Reply) -> str:
    """Where the prediction of the first card is read."""
    return f"/predictions/{reply.document['cards'][0]['uuid']}"


@on_both
def test_77_another_revision_is_refused_at_start_and_told_while_serving(running: Running, database: Database) -> None:
    database.execute("UPDATE alembic_version SET version_num = '9999'", "UPDATE schema_floor SET oldest = '9999'")

    command = [sys.executable, "-m", "cds_service.cli", "serve"]
    env = {**os.environ, **settings(database.directory, 1, **database.settings)}
    started = subprocess.run(command, env=env, capture_output=True, text=True, timeout=20)

    assert started.returncode == 1
    assert started.stdout == ""
    assert started.stderr.splitlines() == [
        "cds: database: is at revision 9999, which this version does not know",
    ]
    assert not_ready(running.port) == {"database": "no current schema found"}


@on_both
def test_77_a_migration_that_only_adds_does_not_disturb_the_code_still_running(
    running: Running, database: Database
) -> None:
    """Columns, a table and an index come while calls are answered; a service of this code may start then, too."""
    ledger = Ledger()
    load = Load(ledger, running.port, clients=4)
    database.execute(
        "ALTER TABLE audit_head ADD COLUMN later TEXT",  # first, as the writer does: else each may wait for the other
        "ALTER TABLE predictions ADD COLUMN later TEXT",
        "CREATE TABLE later (id INTEGER PRIMARY KEY)",
        "UPDATE alembic_version SET version_num = '9999'",
    )
    before = ledger.asked
    assert eventually(lambda: ledger.asked > before + 20)
    load.stopping = True
    load.join()

    assert (set(ledger.statuses), load.timeouts) == ({200}, 0)
    assert not_ready(running.port) == {}
    with served(database.directory, **database.settings) as second:
        assert ask_hook(second.port, ledger).status == 200
    assert_sound(database, ledger)


def fill(running: Running, ledger: Ledger) -> Reply:
    """Ask until the disk takes no more; the first answer that is not 200."""
    for _ in range(400):
        reply = ask_hook(running.port, ledger)
        if reply.status != 200:
            return reply
    raise AssertionError("the disk was never full")


def assert_survives_full(running: Running, database: Database, ledger: Ledger) -> None:
    """Refused in time while full, not ready, alive; what was acknowledged is there, and reads as it was."""
    assert ask_hook(running.port, ledger).status == 200
    assert_unavailable(fill(running, ledger))
    assert "writer" in not_ready(running.port)
    assert_unavailable(ask_hook(running.port, ledger))
    assert ask(running.port, "/livez").status == 200
    assert database.damage() == []


def limit_files(running: Running, limit: int) -> None:
    """Let no process of the service write beyond so many bytes of any file; -1 lifts it."""
    for pid in tree(running.pid):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def test_75_a_file_that_may_not_grow_is_503_and_leaves_no_half(running: Running, database: Database) -> None:
    ledger = Ledger()
    limit_files(running, 400_000)
    assert_survives_full(running, database, ledger)
    limit_files(running, resource.RLIM_INFINITY)

    assert_recovers(running, database, ledger)


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
    database = Database("sqlite", f"sqlite:///{small_disk}/cds.db", small_disk)
    with service(small_disk, **database.settings) as running:
        filler = small_disk / "filler"
        filler.write_bytes(bytes(1_200_000))
        assert_survives_full(running, database, ledger)
        filler.unlink()

        assert_recovers(running, database, ledger)
    assert_sound(database, ledger)


@on_both
def test_74_a_database_away_at_start_is_waited_for(database: Database) -> None:
    """Locked by another process when the service starts: it starts, says so, and is ready once it can be."""
    ledger = Ledger()
    with ExitStack() as stack:
        with database.blocked():
            running = stack.enter_context(served(database.directory, **database.settings))
            assert_unavailable(ask_hook(running.port, ledger))
            assert not_ready(running.port)

        assert_recovers(running, database, ledger)
