"""Engines and connections: how the database is opened, and how its failures are named."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from cds_service.errors import ConfigurationError, Unavailable

# Chosen by us: under half of the writer's default deadline, so that a caller is told in time.
BUSY_TIMEOUT_S = 0.9

# Chosen by us: switching a new file to its log takes about a millisecond.
_ASK_AGAIN_S = 0.005

# Of a new file; one that has pages keeps their size. A prediction with its reply fits into one, and takes two of the
# 4 KB SQLite would choose. Measured, with what it costs, in docs/decisions/storage-writer.md.
_PAGE_BYTES = 8192

# Of the connection that writes. A group of 512 predictions changes up to 2,100 pages, 17 MB: none is written before the
# commit, so each is written to the log once; afterwards the cache is small again. What a statement may have to undo is
# kept in memory: a file in the temporary directory costs writes, and would hold patients' rows.
_WRITER_PRAGMAS = ("cache_size=-8000", "cache_spill=OFF", "temp_store=MEMORY")
# The log is copied into the file after this many bytes, not after 4 MB: pages of indexes, which every group changes,
# are copied a quarter as often.
_LOG_BYTES = 16_000_000

# What `sqlite3` binds as it is. Without an entry it asks each such value, in vain, whether it adapts itself.
_ADAPTERS: dict[type[Any], Callable[[Any], Any]] = {bytes: bytes.__bytes__, bool: bool.__index__}

_FILE, _AGAIN = "cds_database_file", "cds_open_again"

# SQLite's transactions read one state by themselves.
_SNAPSHOT: dict[str, dict[str, Any]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


def open_engine(
    url: str, *, create: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S, statement_timeout_s: float | None = None
) -> Engine:
    """An engine for the database at `url`; nothing is connected yet.

    A missing SQLite file is an error at the first connection unless `create`: an empty database must
    not appear where the full one went missing. `busy_timeout_s` bounds the wait for a lock or a connection,
    and on PostgreSQL a statement too unless it has a limit of its own.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError("not a database URL", where="CDS_DATABASE_URL") from None
    if parsed.get_backend_name() == "sqlite":
        engine = _open_sqlite(parsed, create=create, busy_timeout_s=busy_timeout_s)
    else:
        # Only here, so that a service on SQLite starts without PostgreSQL's driver.
        from cds_service.storage.postgres import open_postgres

        engine = open_postgres(parsed, lock_timeout_s=busy_timeout_s, statement_timeout_s=statement_timeout_s)
    again = partial(open_engine, url, busy_timeout_s=busy_timeout_s, statement_timeout_s=statement_timeout_s)
    engine.update_execution_options(**{_AGAIN: again})
    return engine


def opened_again(engine: Engine) -> Callable[[], Engine]:
    """What opens the same database in another process."""
    again: Callable[[], Engine] = engine.get_execution_options()[_AGAIN]
    return again


def for_writing(engine: Engine) -> Engine:
    """The engine as writers use it: on SQLite their transactions take the write lock when they begin."""
    return engine.execution_options(cds_writes=True)


def connect_writer(engine: Engine) -> Connection:
    """A connection to keep for writing, on an engine of `for_writing`; never given back to the pool."""
    connection = engine.connect()
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        (page_bytes,) = driver.execute("PRAGMA page_size").fetchone()
        for pragma in (*_WRITER_PRAGMAS, f"wal_autocheckpoint={_LOG_BYTES // page_bytes}"):
            driver.execute(f"PRAGMA {pragma}").close()
    return connection


def database_file(engine: Engine) -> Path | None:
    """The SQLite file behind the engine, None for a server."""
    name = engine.get_execution_options().get(_FILE)
    return None if name is None else Path(name)


def file_identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file at the path now, None when there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn a failure of the database into `Unavailable`; its text never holds a value."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("all database connections are in use", where="database") from error
    except DBAPIError as error:
        raise Unavailable(reason(error.orig), where="database") from error


def reason(error: BaseException | None) -> str:
    """What went wrong, as the driver names it: SQLite's error name, or the class of the failure."""
    return str(getattr(error, "sqlite_errorname", type(error).__name__))


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for reading one consistent state of the database."""
    with database_errors(), engine.connect() as connection:
        yield connection.execution_options(**_SNAPSHOT[engine.dialect.name])


def _open_sqlite(url: URL, *, create: bool, busy_timeout_s: float) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ConfigurationError("SQLite needs a file: memory is not durable", where="CDS_DATABASE_URL")
    path = Path(url.database).absolute()
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    uri = {"uri": "true", "mode": "rwc" if create else "rw"}
    engine = create_engine(
        url.set(database=f"file:{quote(str(path))}", query=uri),
        connect_args={"timeout": busy_timeout_s},
        pool_timeout=busy_timeout_s,
        execution_options={_FILE: str(path)},
        hide_parameters=True,
    )
    for kind, adapt in _ADAPTERS.items():
        sqlite3.register_adapter(kind, adapt)
    event.listen(engine, "connect", partial(_prepare_sqlite, path, busy_timeout_s))
    event.listen(engine, "checkout", partial(_refuse_stale, path))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(
    path: Path, busy_timeout_s: float, connection: sqlite3.Connection, entry: ConnectionPoolEntry
) -> None:
    entry.info[_FILE] = file_identity(path)
    connection.isolation_level = None  # SQLAlchemy says when a transaction begins, not the driver
    connection.execute(f"PRAGMA page_size={_PAGE_BYTES}").close()
    _write_ahead(connection, busy_timeout_s)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _write_ahead(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """Switch the file to its write-ahead log, asking again while another who opened the new file does the same.

    SQLite answers "locked" to this switch without the wait it grants every other lock.
    """
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError as error:
            # The lowest byte is the error, what is above it the kind: busy with recovery is busy all the same.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(_ASK_AGAIN_S)


def _refuse_stale(path: Path, _connection: object, entry: ConnectionPoolEntry, _proxy: object) -> None:
    """Have the pool open another connection when the file at the path is no longer the one this one reads."""
    if entry.info.get(_FILE) != file_identity(path):
        raise DisconnectionError("the database file was taken away or replaced")


def _begin_sqlite(connection: Connection) -> None:
    """Begin on the driver: SQLAlchemy's own execution of a statement costs a group of the writer as much as a row."""
    statement = "BEGIN IMMEDIATE" if connection.get_execution_options().get("cds_writes", False) else "BEGIN"
    driver: Any = connection.connection.driver_connection
    try:
        driver.execute(statement).close()
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, None, error, sqlite3.Error, hide_parameters=True) from error
