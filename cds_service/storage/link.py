"""The writer's own connection: opened when needed, dropped at the first sign of trouble, opened again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, ResourceClosedError

from cds_service.errors import Unavailable
from cds_service.storage.sessions import database_errors, database_file


class WriterLink:
    """One connection kept over many transactions. Used by one thread only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(cds_writes=True)
        self._file = database_file(engine)
        self._connection: Connection | None = None
        self._opened: tuple[int, int] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction committed at the end; any failure of the database is `Unavailable` and drops the connection."""
        try:
            with database_errors():
                connection = self._connected()
                with connection.begin():
                    yield connection
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection; the next transaction opens another."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.invalidate()
            connection.close()
        except (DBAPIError, ResourceClosedError, OSError):
            return  # it was broken, which is why it goes

    def _connected(self) -> Connection:
        """The open connection, if the file it writes to is still the one at the path."""
        found = self._identify()
        if self._connection is None or found != self._opened:
            self.close()
            self._connection, self._opened = self._engine.connect(), found
        return self._connection

    def _identify(self) -> tuple[int, int] | None:
        """Device and inode: rows written to a file that was deleted or replaced would be acknowledged and lost."""
        if self._file is None:
            return None
        try:
            found = os.stat(self._file)
        except OSError as error:
            raise Unavailable("the database file is away", where="database") from error
        return found.st_dev, found.st_ino
