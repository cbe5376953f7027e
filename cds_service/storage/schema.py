"""The schema's revision: migrating, comparing with the tables, and refusing to start on another one.

alembic is imported only by the functions that migrate or compare, so that starting the service does without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from cds_service.errors import ConfigurationError
from cds_service.storage.sessions import database_errors, database_file, for_writing, open_engine, reading
from cds_service.storage.tables import audit_head, metadata, schema_floor

if TYPE_CHECKING:
    from alembic.config import Config

# Newest revision in migrations/versions, oldest first; a test compares it with the scripts.
REVISIONS = tuple(f"{number:04}" for number in range(1, 20))
HEAD_REVISION = REVISIONS[-1]

# How long one `cds migrate` waits for another. On PostgreSQL a step that waits for a table blocks whoever comes
# after it, so it gives up soon and is asked for again; SQLite's one lock waits as long as it may.
_MIGRATING_TIMEOUT_S = 30.0
_STEP_LOCK_TIMEOUT_S = 2.0
_STEP_TIMEOUT_S = 3600.0
_ADVISORY_KEY = 0x6364735F  # "cds_": nobody else's number, so that only migrations wait for each other


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database up to the revision, creating a SQLite file that is not there yet."""
    from alembic import command

    with _migrating(url, create=True) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database down to the revision; `base` removes every table."""
    from alembic import command

    with _migrating(url, create=False) as connection:
        command.downgrade(_config(connection), revision)


def compare(url: str) -> list[Any]:
    """How the database differs from the tables of this code; empty when it does not."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = open_engine(url)
    try:
        with reading(engine) as connection:
            return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))
    finally:
        engine.dispose()


def read_revision(engine: Engine) -> str | None:
    """The revision the database says it has, None when it was never migrated."""
    path = database_file(engine)
    if path is not None and not path.exists():
        return None
    with database_errors(), engine.connect() as connection:
        try:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        except (OperationalError, ProgrammingError) as error:
            if "alembic_version" in str(error.orig) and "SELECT" not in str(error.orig):
                return None
            raise


def _read_floor(engine: Engine) -> str | None:
    """The oldest revision whose code may run on the schema, None when the database does not say."""
    with database_errors(), engine.connect() as connection:
        if not inspect(connection).has_table(schema_floor.name):
            return None
        return connection.execute(select(schema_floor.c.oldest)).scalar_one_or_none()


def check_revision(engine: Engine) -> None:
    """Refuse a database this code may not run on: `ConfigurationError`; `Unavailable` when it cannot be asked.

    A newer schema that only added to ours is served: see docs/decisions/migrations.md.
    """
    found = read_revision(engine)
    if found == HEAD_REVISION:
        return
    if found is None or found in REVISIONS:
        raise ConfigurationError(f"is at revision {found}, not {HEAD_REVISION}: run `cds migrate`", where="database")
    if _read_floor(engine) not in REVISIONS:
        raise ConfigurationError(f"is at revision {found}, which this version does not know", where="database")


def open_current(url: str, *, statement_timeout_s: float | None = None) -> Engine:
    """The database, once it is found to have this version's revision; raises as `check_revision`."""
    engine = open_engine(url, statement_timeout_s=statement_timeout_s)
    check_revision(engine)
    return engine


def migrations_dir() -> Path:
    """Where the migration scripts are: beside the package in a source checkout, else in the working directory."""
    candidates = (Path(__file__).resolve().parents[2] / "migrations", Path.cwd() / "migrations")
    for candidate in candidates:
        if (candidate / "env.py").is_file():
            return candidate
    raise ConfigurationError("not found beside the package or in the working directory", where="migrations/")


@contextmanager
def _migrating(url: str, *, create: bool) -> Iterator[Connection]:
    """One transaction around all steps: on both databases a migration that fails leaves nothing behind."""
    timeout_s = _MIGRATING_TIMEOUT_S
    engine = open_engine(url, create=create, busy_timeout_s=timeout_s, statement_timeout_s=_STEP_TIMEOUT_S)
    try:
        with database_errors(), for_writing(engine).begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})
                connection.execute(text(f"SET LOCAL lock_timeout = {int(_STEP_LOCK_TIMEOUT_S * 1000)}"))
                _wait_for_writers(connection)
            yield connection
    finally:
        engine.dispose()


def _wait_for_writers(connection: Connection) -> None:
    """Let writers end and keep new ones at the door, this table: none of them waits for a step that waits for it."""
    if inspect(connection).has_table(audit_head.name):
        connection.execute(text(f"LOCK TABLE {audit_head.name} IN EXCLUSIVE MODE"))


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
