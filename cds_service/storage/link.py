"""The writer's own connection: opened when needed, dropped at the first sign of trouble, opened again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import PoolProxiedConnection

from cds_service.errors import Unavailable
from cds_service.storage.sessions import database_file, file_identity, reason

# SQLite takes its write lock at once, so that no statement later in the transaction can find it taken.
_BEGIN = {"sqlite": "BEGIN IMMEDIATE"}


class WriterLink:
    """One connection kept over many transactions. Used by one thread only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._begin = _BEGIN.get(engine.dialect.name)
        self._driver_error = engine.dialect.loaded_dbapi.Error
        self._file = database_file(engine)
        self._connection: PoolProxiedConnection | None = None
        self._opened: tuple[int, int] | None = None

    @contextmanager
    def transaction(self) -> Iterator[DBAPICursor]:
        """A cursor in a transaction that is committed at the end.

        Any failure of the database is `Unavailable`. After a failure the connection is dropped, and with it
        the transaction, unless it is certain that it was committed.
        """
        try:
            connection = self._connected()
            cursor = connection.cursor()
            self._begin_on(cursor)
            yield cursor
            connection.commit()
            cursor.close()
        except self._driver_error as error:
            self.close()
            raise Unavailable(reason(error), where="database") from error
        except BaseException:
            self.close()
            raise

    def start_over(self, cursor: DBAPICursor) -> None:
        """Undo what the transaction did so far and begin it again."""
        if self._connection is not None:
            self._connection.rollback()
            self._begin_on(cursor)

    def close(self) -> None:
        """Drop the connection; the next transaction opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()

    def _begin_on(self, cursor: DBAPICursor) -> None:
        if self._begin is not None:
            cursor.execute(self._begin)

    def _connected(self) -> PoolProxiedConnection:
        """The open connection, if the file it writes to is still the one at the path."""
        found = self._identify()
        if self._connection is None or found != self._opened:
            self.close()
            try:
                self._connection, self._opened = self._engine.raw_connection(), found
            except PoolTimeout as error:
                raise Unavailable("all database connections are in use", where="database") from error
        return self._connection

    def _identify(self) -> tuple[int, int] | None:
        """Device and inode: rows written to a file that was deleted or replaced would be acknowledged and lost."""
        if self._file is None:
            return None
        found = file_identity(self._file)
        if found is None:
            raise Unavailable("the database file is away", where="database")
        return found
