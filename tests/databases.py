"""A database of each kind for one test: SQLite in a file, PostgreSQL on a server the session starts for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bench.postgres import Postgres
from cds_service.storage.audit_log import verify_chain
from cds_service.storage.identity import Keyring
from cds_service.storage.schema import migrate
from cds_service.storage.sessions import database_errors, for_writing, open_engine

KINDS = ("sqlite", "postgresql")
SECRET = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


# On SQLite the transaction of a writer takes the only lock as it begins.
_BLOCK = {
    "sqlite": ("SELECT 1",),
    "postgresql": ("SET idle_in_transaction_session_timeout = 0", "LOCK TABLE audit_head"),
}


@dataclass(frozen=True)
class Database:
    """Where one is, and the directory for the files of a service on it."""

    kind: str
    url: str
    directory: Path
    server: Postgres | None = None

    @property
    def settings(self) -> dict[str, str]:
        """What a service on it is started with."""
        return {"CDS_DATABASE_URL": self.url, "CDS_SECRET_KEY": SECRET}

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """Nothing can be written meanwhile: another transaction holds what every writer takes first."""
        engine = open_engine(self.url)
        with database_errors(), for_writing(engine).connect() as connection:
            for statement in _BLOCK[self.kind]:
                connection.exec_driver_sql(statement)
            yield
        engine.dispose()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        engine = open_engine(self.url, busy_timeout_s=30)
        with engine.connect() as connection:
            found = [tuple(row) for row in connection.execute(text(query))]
        engine.dispose()
        return found

    def damage(self) -> list[str]:
        """What the database finds wrong with its own files; a server that answers has looked after its own."""
        found = [] if self.kind == "postgresql" else [text for (text,) in self.rows("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    def first_broken(self) -> int | None:
        """Where the audit chain a service with our settings wrote is broken, None when it is whole."""
        engine = open_engine(self.url, busy_timeout_s=30)
        broken = verify_chain(engine, Keyring(SECRET))
        engine.dispose()
        return broken

    def execute(self, *statements: str) -> None:
        """Change something behind the service's back."""
        engine = open_engine(self.url)
        with for_writing(engine).begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()


@contextmanager
def a_database(request: pytest.FixtureRequest, directory: Path) -> Iterator[Database]:
    """A migrated database of the kind the fixture's parameter names; skipped where it cannot be had."""
    if request.param == "sqlite":
        url = f"sqlite:///{directory}/cds.db"
        migrate(url)
        yield Database("sqlite", url, directory)
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    name = server.create(request.getfixturevalue("migrated_template"))
    yield Database("postgresql", server.url(name), directory, server)
    server.drop(name)
