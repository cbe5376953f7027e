"""THREATS 74-76 on PostgreSQL: locked, stopped, killed, stalled, cut, out of connections."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from time import monotonic

import pytest
from sqlalchemy import Engine, text

from bench.postgres import Postgres
from cds_service.errors import ConfigurationError, Unavailable
from cds_service.storage.audit_log import verify_chain
from cds_service.storage.postgres import OVERFLOW, POOL
from cds_service.storage.prediction_log import find_reply, read_prediction
from cds_service.storage.schema import check_revision
from cds_service.storage.sessions import open_engine, reading
from cds_service.storage.writer import GroupWriter
from tests.databases import Database
from tests.stalling import Path, a_path
from tests.storage.builders import a_writer, an_entry, eventually, keyring

CALL_IN_S, READY_IN_S = 2.3, 5.0


@pytest.fixture(params=["postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: object) -> Iterator[Database]:
    server: Postgres = request.getfixturevalue("postgres_server")
    name = server.create(request.getfixturevalue("migrated_template"))
    yield Database("postgresql", server.url(name), tmp_path, server)  # type: ignore[arg-type]
    server.drop(name)


@pytest.fixture
def path(postgres_server: Postgres) -> Iterator[Path]:
    with a_path(postgres_server.port) as path:
        yield path


@pytest.fixture
def database_url(database: Database, path: Path, postgres_server: Postgres) -> str:
    """By way of a path that can stall."""
    return database.url.replace(f":{postgres_server.port}/", f":{path.port}/")


def assert_unavailable_in_time(writer: GroupWriter, engine: Engine) -> None:
    """Writing and reading both fail in time, not once but again."""
    for _ in range(2):
        begun = monotonic()
        with pytest.raises(Unavailable):
            writer.submit(an_entry())
        assert monotonic() - begun < CALL_IN_S
        begun = monotonic()
        with pytest.raises(Unavailable):
            find_reply(engine, "north", "vitals-risk", "1")
        assert monotonic() - begun < CALL_IN_S
    assert not writer.healthy()


def assert_recovers(writer: GroupWriter, engine: Engine) -> None:
    assert eventually(writer.healthy, within_s=READY_IN_S)
    entry = an_entry()
    assert not writer.submit(entry).replayed
    assert eventually(lambda: readable(engine), within_s=READY_IN_S)
    assert read_prediction(engine, entry.id, "north") is not None
    assert verify_chain(engine, keyring()) is None


def readable(engine: Engine) -> bool:
    try:
        check_revision(engine)
    except Unavailable:
        return False
    return True


def warm(writer: GroupWriter, engine: Engine) -> None:
    """Connections open on both sides, so that the fault meets them in use."""
    writer.submit(an_entry())
    check_revision(engine)


def test_a_path_that_stalls_is_unavailable_in_time_and_taken_up_again(
    engine: Engine, writer: GroupWriter, path: Path
) -> None:
    """No message arrives either way, so none of the server's own timeouts can help."""
    warm(writer, engine)
    path.stall()
    assert_unavailable_in_time(writer, engine)
    path.flow()

    assert_recovers(writer, engine)


def test_a_path_that_is_cut_is_taken_up_again(engine: Engine, writer: GroupWriter, path: Path) -> None:
    warm(writer, engine)
    path.cut()

    assert_recovers_after_one_failure(writer, engine)


def assert_recovers_after_one_failure(writer: GroupWriter, engine: Engine) -> None:
    assert eventually(lambda: submits(writer) and readable(engine), within_s=READY_IN_S)
    assert_recovers(writer, engine)


def submits(writer: GroupWriter) -> bool:
    try:
        writer.submit(an_entry())
    except Unavailable:
        return False
    return True


def test_a_server_that_is_down_is_unavailable_at_once_and_taken_up_again(
    engine: Engine, writer: GroupWriter, postgres_server: Postgres
) -> None:
    warm(writer, engine)
    postgres_server.stop()
    try:
        assert_unavailable_in_time(writer, engine)
    finally:
        postgres_server.start()

    assert_recovers(writer, engine)


def test_a_server_killed_and_started_again_keeps_what_was_acknowledged(
    engine: Engine, writer: GroupWriter, postgres_server: Postgres
) -> None:
    entry = an_entry()
    writer.submit(entry)
    postgres_server.kill()
    postgres_server.start()

    assert_recovers_after_one_failure(writer, engine)
    assert read_prediction(engine, entry.id, "north") is not None


def test_a_server_that_stands_still_is_unavailable_in_time(
    engine: Engine, writer: GroupWriter, postgres_server: Postgres
) -> None:
    warm(writer, engine)
    processes = postgres_server.processes()
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert_unavailable_in_time(writer, engine)
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)

    assert_recovers(writer, engine)


def test_a_lock_held_by_another_is_unavailable_in_time_and_taken_up_again(
    database: Database, engine: Engine, writer: GroupWriter
) -> None:
    warm(writer, engine)
    with database.blocked():
        begun = monotonic()
        with pytest.raises(Unavailable, match="LockNotAvailable"):
            writer.submit(an_entry())
        assert monotonic() - begun < CALL_IN_S
        assert not writer.healthy()
        check_revision(engine)

    assert_recovers(writer, engine)


def test_a_writer_that_stood_still_in_its_transaction_does_not_hold_up_others(database: Database) -> None:
    """The server ends the session of a process that took the head of the chain and was stopped."""
    engine = open_engine(database.url)
    with engine.connect() as stopped, a_writer(engine) as writer:
        stopped.execute(text("SELECT seq FROM audit_head FOR UPDATE"))

        assert eventually(lambda: submits(writer), within_s=READY_IN_S)
        stopped.invalidate()
    engine.dispose()


def test_all_connections_in_use_is_said_quickly(database: Database) -> None:
    engine = open_engine(database.url, busy_timeout_s=0.05, statement_timeout_s=2)
    held = [engine.connect() for _ in range(POOL + OVERFLOW)]
    begun = monotonic()

    with pytest.raises(Unavailable, match="in use"), reading(engine):
        pass

    assert monotonic() - begun < 1.0
    for connection in held:
        connection.close()
    engine.dispose()


def test_a_slow_statement_is_ended_by_the_server(engine: Engine) -> None:
    with pytest.raises(Unavailable, match="QueryCanceled"), reading(engine) as connection:
        connection.execute(text("SELECT pg_sleep(30)"))


def test_reading_changes_nothing(engine: Engine) -> None:
    with pytest.raises(Unavailable, match="ReadOnly"), reading(engine) as connection:
        connection.execute(text("DELETE FROM audit"))


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_options_of_the_address_stay_in_force_beside_the_limits(database: Database, scheme: str) -> None:
    url = database.url.replace("postgresql", scheme) + "?options=-c%20work_mem%3D5MB"
    engine = open_engine(url)
    with reading(engine) as connection:
        found = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in ("work_mem", "lock_timeout")]
    engine.dispose()

    assert found == ["5MB", "900ms"]


def test_a_password_is_in_no_error(postgres_server: Postgres) -> None:
    engine = open_engine("postgresql://cds:geheim-geheim@127.0.0.1:1/none")

    with pytest.raises(Unavailable) as caught, reading(engine):
        pass
    with pytest.raises(ConfigurationError) as refused:
        open_engine("postgresql://cds:geheim-geheim@host:port/none")

    assert "geheim" not in f"{caught.value} {refused.value} {engine}"
