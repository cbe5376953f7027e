"""How SQLite's file is opened while others open it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from cds_service.storage import sessions


class Busy(sqlite3.Connection):
    """Answers "busy" in one of its kinds to the first switches to the write-ahead log."""

    code = sqlite3.SQLITE_BUSY
    left = 0

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        if "journal_mode" in sql and self.left:
            self.left -= 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = self.code
            raise error
        return super().execute(sql, *parameters)  # type: ignore[arg-type]


@pytest.fixture
def connection(tmp_path: Path) -> Busy:
    return sqlite3.connect(tmp_path / "cds.db", factory=Busy)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY, sqlite3.SQLITE_BUSY_SNAPSHOT])
def test_a_file_that_is_busy_in_any_way_is_asked_again(connection: Busy, code: int) -> None:
    connection.code, connection.left = code, 2

    sessions._write_ahead(connection, 5.0)

    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_any_other_failure_is_raised_at_once(connection: Busy) -> None:
    connection.code, connection.left = sqlite3.SQLITE_READONLY, 1

    with pytest.raises(sqlite3.OperationalError):
        sessions._write_ahead(connection, 5.0)
    connection.close()
