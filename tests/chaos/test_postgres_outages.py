"""THREATS 74, 75 and 78 over HTTP on PostgreSQL: the server or its path gone, its disk full, several services on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path as Directory

import pytest

from bench.postgres import Postgres
from bench.processes import tree
from bench.servers import Running, served
from tests.chaos.asking import ask, ask_hook, not_ready
from tests.chaos.ledger import Ledger, Load, assert_sound, repeat_all
from tests.chaos.test_database_outages import assert_recovers, assert_unavailable
from tests.databases import Database, a_database
from tests.stalling import Path, a_path

pytestmark = pytest.mark.slow


@pytest.fixture(params=["postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Directory) -> Iterator[Database]:
    with a_database(request, tmp_path) as database:
        yield database


@pytest.fixture
def path(postgres_server: Postgres) -> Iterator[Path]:
    with a_path(postgres_server.port) as path:
        yield path


@pytest.fixture
def running(database: Database, path: Path, postgres_server: Postgres) -> Iterator[Running]:
    """A service that reaches its database by a path that can stall."""
    by_path = database.url.replace(f":{postgres_server.port}/", f":{path.port}/")
    with served(database.directory, **{**database.settings, "CDS_DATABASE_URL": by_path}) as found:
        yield found


def assert_stands_by(running: Running, ledger: Ledger) -> None:
    """Refused in time again and again, not ready, alive."""
    for _ in range(3):
        assert_unavailable(ask_hook(running.port, ledger))
    assert "writer" in not_ready(running.port)
    assert ask(running.port, "/livez").status == 200


def test_74_a_stalled_path_to_the_server_is_503_in_time_and_is_taken_up_again(
    running: Running, database: Database, path: Path
) -> None:
    ledger = Ledger()
    assert ask_hook(running.port, ledger).status == 200
    path.stall()
    assert_stands_by(running, ledger)
    path.flow()

    assert_recovers(running, database, ledger)


def test_74_a_cut_path_to_the_server_is_taken_up_again(running: Running, database: Database, path: Path) -> None:
    ledger = Ledger()
    assert ask_hook(running.port, ledger).status == 200
    path.cut()
    assert ask_hook(running.port, ledger).status in (200, 503)

    assert_recovers(running, database, ledger)


@pytest.mark.parametrize("end", [Postgres.stop, Postgres.kill], ids=["stopped", "killed"])
def test_74_a_server_gone_is_503_in_time_and_is_taken_up_again(
    running: Running, database: Database, postgres_server: Postgres, end: object
) -> None:
    ledger = Ledger()
    assert ask_hook(running.port, ledger).status == 200
    end(postgres_server)  # type: ignore[operator]
    try:
        assert_stands_by(running, ledger)
    finally:
        postgres_server.start()

    assert_recovers(running, database, ledger)


def test_74_a_server_gone_at_start_is_waited_for(database: Database, postgres_server: Postgres) -> None:
    ledger = Ledger()
    with ExitStack() as stack:
        postgres_server.stop()
        try:
            running = stack.enter_context(served(database.directory, **database.settings))
            assert_stands_by(running, ledger)
        finally:
            postgres_server.start()

        assert_recovers(running, database, ledger)


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """A disk of 24 MiB the database's server may write to, where this user may mount one."""
    disk = Directory("/tmp") / f"cds-small-{os.getpid()}"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=777", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        disk.rmdir()
        pytest.skip("mounting a small disk takes root")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)
    disk.rmdir()


@pytest.fixture
def database_on_small_disk(
    database: Database, postgres_server: Postgres, small_disk: Directory, migrated_template: str
) -> Iterator[Database]:
    space = small_disk / "space"
    space.mkdir()
    owner = os.stat(postgres_server.data)
    os.chown(space, owner.st_uid, owner.st_gid)
    postgres_server.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
    name = postgres_server.create(migrated_template, tablespace="small")
    yield Database("postgresql", postgres_server.url(name), database.directory, postgres_server)
    postgres_server.drop(name)
    postgres_server.execute("DROP TABLESPACE small")


def test_75_a_full_disk_of_the_server_is_503_and_is_taken_up_again_once_there_is_room(
    database_on_small_disk: Database, small_disk: Directory
) -> None:
    ledger = Ledger()
    database = database_on_small_disk
    with served(database.directory, **database.settings) as running:
        assert ask_hook(running.port, ledger).status == 200
        filler = small_disk / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(small_disk).free // 4096 * 4096))
        reply = next(reply for _ in range(400) if (reply := ask_hook(running.port, ledger)).status != 200)
        assert_unavailable(reply)
        filler.unlink()

        assert_recovers(running, database, ledger)


def test_78_services_of_several_workers_on_one_database_answer_as_one(database: Database) -> None:
    """Both are asked the same at once, new and again; each worker of each writes, and the chain is one."""
    ledger = Ledger()
    more = {**database.settings, "CDS_WORKERS": "2"}
    with served(database.directory, **more) as one, served(database.directory, **more) as other:
        assert len(tree(one.pid)) >= 3
        for _ in range(3):
            numbers = range(ledger.asked, ledger.asked + 200)
            ledger.asked += len(numbers)
            loads = [Load(ledger, each.port, clients=8, repeats=numbers, new=False) for each in (one, other)]
            for load in loads:
                load.join()
            assert [load.timeouts for load in loads] == [0, 0]
        assert_sound(database, ledger)
        repeat_all(database, ledger, other.port)

    assert set(ledger.statuses) == {200}


def test_78_a_killed_service_leaves_the_other_serving(database: Database) -> None:
    """Its transactions are undone by the server, its locks with them."""
    ledger = Ledger()
    with served(database.directory, **database.settings) as one:
        with served(database.directory, **database.settings) as other:
            load = Load(ledger, other.port, clients=4)
            assert ask_hook(one.port, ledger).status == 200
            os.killpg(other.pid, 9)
            other.process.wait(10)
            load.join()
            assert ask_hook(one.port, ledger).status == 200
        repeat_all(database, ledger, one.port)
