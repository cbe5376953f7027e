from __future__ import annotations

import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from bench.postgres import Postgres
from cds_service.errors import ConfigurationError
from cds_service.storage import schema
from cds_service.storage.prediction_log import read_prediction
from cds_service.storage.sessions import for_writing, open_engine
from cds_service.storage.tables import metadata
from tests.databases import KINDS, Database
from tests.storage.builders import a_writer, an_entry, eventually


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


def test_a_newer_schema_that_only_added_is_served(database: Database, engine: Engine) -> None:
    database.execute("UPDATE alembic_version SET version_num = '9999'", "ALTER TABLE predictions ADD COLUMN later TEXT")
    with a_writer(engine) as writer:
        entry = an_entry()
        writer.submit(entry)

    schema.check_revision(engine)
    assert read_prediction(engine, entry.id, "north") is not None


@pytest.mark.parametrize(
    "floor", ["UPDATE schema_floor SET oldest = '9998'", "DELETE FROM schema_floor", "DROP TABLE schema_floor"]
)
def test_an_unknown_revision_that_does_not_vouch_for_this_code_is_refused(
    database: Database, engine: Engine, floor: str
) -> None:
    database.execute("UPDATE alembic_version SET version_num = '9999'", floor)

    with pytest.raises(ConfigurationError, match="does not know"):
        schema.check_revision(engine)


def test_an_older_revision_is_refused_with_the_remedy(database: Database, engine: Engine) -> None:
    database.execute("UPDATE alembic_version SET version_num = '0001'")

    with pytest.raises(ConfigurationError, match="cds migrate"):
        schema.check_revision(engine)


def test_a_migration_that_takes_away_raises_the_floor() -> None:
    """Whatever older code could miss: it must be refused by that code, which asks the floor."""
    for script in sorted((schema.migrations_dir() / "versions").glob("[0-9]*.py")):
        upgrade = script.read_text().split("def upgrade()")[1].split("def downgrade()")[0]
        takes_away = re.search(r"op\.(drop_|alter_column|rename_table)|batch_alter_table", upgrade)

        assert not takes_away or "schema_floor" in upgrade, script.name


def test_two_migrations_at_once_wait_for_each_other(url: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(schema.migrate, [url] * 3))

    assert schema.compare(url) == []


def test_a_writer_under_way_and_a_migration_never_wait_for_each_other(postgres_server: Postgres) -> None:
    """The writer has one table that the steps change, and comes to another."""
    url = postgres_server.url(postgres_server.create())
    schema.migrate(url, "0007")
    engine = open_engine(url)
    with ThreadPoolExecutor(1) as pool:
        with for_writing(engine).begin() as writer:
            writer.exec_driver_sql("SELECT seq FROM audit_head FOR UPDATE")
            writer.exec_driver_sql("LOCK TABLE messages IN ROW EXCLUSIVE MODE")
            migration = pool.submit(schema.migrate, url)
            assert eventually(lambda: is_waiting(engine))

            writer.exec_driver_sql("LOCK TABLE labels IN ROW EXCLUSIVE MODE")

        assert migration.result(10) is None
    schema.check_revision(engine)
    engine.dispose()


def is_waiting(engine: Engine) -> bool:
    """Whether somebody waits for a table of this database."""
    own = "(SELECT oid FROM pg_database WHERE datname = current_database())"
    query = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND database = {own}"
    with engine.connect() as connection:
        return bool(connection.exec_driver_sql(query).scalar_one())


def test_many_who_open_a_new_sqlite_file_at_once_wait_for_each_other(tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def touch(path: Path) -> None:
        engine = open_engine(f"sqlite:///{path}", create=True)
        together.wait()
        engine.connect().close()
        engine.dispose()

    with ThreadPoolExecutor(4) as pool:
        for attempt in range(100):
            list(pool.map(touch, [tmp_path / f"{attempt}.db"] * 4))


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
