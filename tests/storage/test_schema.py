from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from bench.postgres import Postgres
from cds_service.errors import ConfigurationError
from cds_service.storage import schema
from cds_service.storage.sessions import for_writing, open_engine
from cds_service.storage.tables import metadata
from tests.databases import KINDS, Database


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database never migrated; SQLite's file is not even there."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/made/here/cds.db"
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.url(server.create())


def test_migrations_go_up_match_the_tables_and_come_down(url: str) -> None:
    schema.migrate(url)
    assert schema.compare(url) == []

    schema.downgrade(url, "base")
    engine = open_engine(url)
    assert not set(inspect(engine).get_table_names()) & set(metadata.tables)

    schema.migrate(url)
    schema.migrate(url)
    assert schema.compare(url) == []
    schema.check_revision(engine)
    schema.downgrade(url, "base")
    engine.dispose()


def test_a_difference_from_the_tables_is_found(database: Database) -> None:
    database.execute("ALTER TABLE audit ADD COLUMN extra TEXT")

    assert schema.compare(database.url) != []


def test_the_head_revision_is_that_of_the_scripts() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.migrations_dir()))
    scripts = ScriptDirectory.from_config(config)

    assert scripts.get_current_head() == schema.HEAD_REVISION
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == schema.REVISIONS


def test_an_unknown_revision_is_refused(engine: Engine) -> None:
    change(engine, "UPDATE alembic_version SET version_num = 'ffff'")

    with pytest.raises(ConfigurationError, match="does not know"):
        schema.check_revision(engine)


def test_a_database_never_migrated_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    engine = open_engine(f"sqlite:///{path}")
    with pytest.raises(ConfigurationError, match="cds migrate"):
        schema.check_revision(engine)
    assert not path.exists()

    path.touch()
    with pytest.raises(ConfigurationError, match="cds migrate"):
        schema.check_revision(engine)
    engine.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alembic.op.bulk_insert", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        schema.migrate(url)

    engine = open_engine(url)
    assert not set(inspect(engine).get_table_names()) & set(metadata.tables)
    engine.dispose()


def test_missing_scripts_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(schema, "__file__", str(tmp_path / "a" / "b" / "c" / "schema.py"))

    with pytest.raises(ConfigurationError, match="migrations/"):
        schema.migrations_dir()


def test_checking_the_revision_imports_neither_alembic_nor_another_databases_driver(database_path: Path) -> None:
    code = (
        "import sys; from cds_service.storage import schema, sessions, writer;"
        f"schema.check_revision(sessions.open_engine('sqlite:///{database_path}'));"
        "print([name for name in ('alembic', 'psycopg', 'sqlalchemy.dialects.postgresql') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())

    assert done.stdout.strip() == "[]"


def change(engine: Engine, statement: str) -> None:
    with for_writing(engine).begin() as connection:
        connection.execute(text(statement))
