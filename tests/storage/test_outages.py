"""THREATS 74-76 on SQLite: the database locked, away, read-only or full."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import Engine

from cds_service.errors import ConfigurationError, Unavailable
from cds_service.storage.audit_log import verify_chain
from cds_service.storage.link import WriterLink
from cds_service.storage.prediction_log import find_reply, read_prediction
from cds_service.storage.sessions import connect_writer, for_writing, open_engine, reading
from cds_service.storage.writer import GroupWriter
from tests.storage.builders import a_writer, an_entry, eventually, keyring


@pytest.fixture
def database_url(database_path: Path) -> str:
    """These faults are a file's; PostgreSQL's are in test_postgres_outages.py."""
    return f"sqlite:///{database_path}"


def test_a_locked_database_is_unavailable_in_time_and_taken_up_again(database_path: Path, writer: GroupWriter) -> None:
    entry = an_entry()
    assert eventually(writer.healthy)
    with closing(sqlite3.connect(database_path, isolation_level=None)) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")
        start = monotonic()
        with pytest.raises(Unavailable, match="BUSY"):
            writer.submit(entry)
        took_s = monotonic() - start
        assert not writer.healthy()
        blocker.execute("ROLLBACK")

    assert took_s < 2.0
    assert eventually(writer.healthy)
    assert not writer.submit(entry).replayed


def test_readers_go_on_while_the_database_is_locked_for_writing(
    database_path: Path, engine: Engine, writer: GroupWriter
) -> None:
    entry = an_entry()
    writer.submit(entry)
    with closing(sqlite3.connect(database_path, isolation_level=None)) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")

        assert read_prediction(engine, entry.id, "north") is not None


def test_a_deleted_file_is_noticed_and_never_written_to(
    database_path: Path, engine: Engine, writer: GroupWriter, tmp_path: Path
) -> None:
    writer.submit(an_entry())
    kept = tmp_path / "kept"
    kept.mkdir()
    files = list(tmp_path.glob("cds.db*"))
    for file in files:
        file.rename(kept / file.name)

    with pytest.raises(Unavailable, match="away"):
        writer.submit(an_entry())

    assert not database_path.exists()
    for file in files:
        (kept / file.name).rename(file)
    assert eventually(writer.healthy)
    writer.submit(an_entry())
    assert verify_chain(engine, keyring()) is None


def test_a_missing_directory_is_unavailable_not_an_empty_database(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/none/cds.db")
    with a_writer(engine) as writer, pytest.raises(Unavailable):
        writer.submit(an_entry())
    with pytest.raises(Unavailable):
        find_reply(engine, "north", "vitals-risk", "1")

    assert not (tmp_path / "none").exists()


OUTAGES = {"full disk": ("PRAGMA max_page_count=1", "FULL"), "read-only": ("PRAGMA query_only=ON", "READONLY")}


@pytest.mark.parametrize(("pragma", "error"), OUTAGES.values(), ids=OUTAGES)
def test_a_database_that_takes_no_writes_fails_the_group_and_leaves_no_half(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, pragma: str, error: str
) -> None:
    """SQLite's page limit and query_only give the errors of a full and of a read-only disk."""
    connected = WriterLink._connected

    def ailing(link: WriterLink) -> object:
        connection = connected(link)
        connection.connection.cursor().execute(pragma)  # type: ignore[attr-defined]
        return connection

    big = an_entry(reply=bytes(500_000))
    with a_writer(engine) as writer:
        with monkeypatch.context() as outage:
            outage.setattr(WriterLink, "_connected", ailing)
            with pytest.raises(Unavailable, match=error):
                writer.submit(big)

        assert find_reply(engine, "north", "vitals-risk", str(big.hook_instance)) is None
        assert eventually(writer.healthy)
        assert not writer.submit(big).replayed
        assert verify_chain(engine, keyring()) is None


def test_all_connections_in_use_is_said_quickly(database_path: Path) -> None:
    engine = open_engine(f"sqlite:///{database_path}", busy_timeout_s=0.05)
    held = [engine.connect() for _ in range(15)]
    start = monotonic()

    with pytest.raises(Unavailable, match="in use"), reading(engine):
        pass

    assert monotonic() - start < 1.0
    for connection in held:
        connection.close()
    engine.dispose()


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="durable"):
        open_engine("sqlite://")


def test_a_url_that_is_none_is_refused_without_echoing_it() -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_engine("secret-password-no-url")

    assert "secret" not in str(caught.value)


def test_every_connection_is_durable(engine: Engine) -> None:
    with reading(engine) as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
            for pragma in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert found == ["wal", 2, 1]
    assert os.path.exists(str(engine.get_execution_options()["cds_database_file"]))


@pytest.mark.parametrize(("before", "page_bytes"), [((), 8192), (("PRAGMA page_size=4096", "VACUUM"), 4096)])
def test_a_new_file_has_large_pages_and_an_old_one_keeps_its_own(
    tmp_path: Path, before: tuple[str, ...], page_bytes: int
) -> None:
    with closing(sqlite3.connect(tmp_path / "cds.db")) as made:
        for statement in before:
            made.execute(statement)
    engine = open_engine(f"sqlite:///{tmp_path}/cds.db", create=True)
    connection = connect_writer(for_writing(engine))

    assert connection.exec_driver_sql("PRAGMA page_size").scalar() == page_bytes
    assert connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 16_000_000 // page_bytes
    connection.invalidate()
    connection.close()
    engine.dispose()


def test_the_writer_keeps_what_it_may_have_to_undo_out_of_the_temporary_directory(engine: Engine) -> None:
    connection = connect_writer(for_writing(engine))

    assert connection.exec_driver_sql("PRAGMA temp_store").scalar() == 2  # memory
    connection.invalidate()
    connection.close()
