"""The writer's own connection: opened when needed, dropped at the first sign of trouble, opened again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import Connection, Engine

from cds_service.errors import Unavailable
from cds_service.storage.sessions import (
    connect_writer,
    database_errors,
    database_file,
    file_identity,
    for_writing,
    reason,
)


class WriterLink:
    """One connection kept over many transactions. Used by one thread only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = for_writing(engine)
        self._driver_error = engine.dialect.loaded_dbapi.Error
        self._file = database_file(engine)
        self._connection: Connection | None = None
        self._opened: tuple[int, int] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection in a transaction that is committed at the end.

        Any failure of the database is `Unavailable`. After a failure the connection is dropped, and with it
        the transaction, unless it is certain that it was committed.
        """
        try:
            with database_errors(), ExitStack() as unless_committed:
                unless_committed.callback(self.close)
                connection = self._connected()
                connection.begin()
                yield connection
                connection.commit()
                unless_committed.pop_all()
        except self._driver_error as error:
            raise Unavailable(reason(error), where="database") from error

    def start_over(self, connection: Connection) -> None:
        """Undo what the transaction did so far and begin it again."""
        connection.rollback()
        connection.begin()

    def close(self) -> None:
        """Drop the connection; the next transaction opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _connected(self) -> Connection:
        """The open connection, if the file it writes to is still the one at the path."""
        found = self._identify()
        if self._connection is None or found != self._opened:
            self.close()
            self._connection, self._opened = connect_writer(self._engine), found
        return self._connection

    def _identify(self) -> tuple[int, int] | None:
        """Device and inode: rows written to a file that was deleted or replaced would be acknowledged and lost."""
        if self._file is None:
            return None
        found = file_identity(self._file)
        if found is None:
            raise Unavailable("the database file is away", where="database")
        return found
