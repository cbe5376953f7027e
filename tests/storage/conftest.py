"""A migrated database of each kind; a test that takes `engine` or `writer` runs on both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cds_service.storage.schema import migrate
from cds_service.storage.sessions import open_engine
from cds_service.storage.writer import GroupWriter
from tests.databases import KINDS, Database, a_database
from tests.storage.builders import a_writer


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    """SQLite's file, for what is about files."""
    path = tmp_path / "cds.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with a_database(request, tmp_path) as database:
        yield database


@pytest.fixture
def database_url(database: Database) -> str:
    return database.url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def writer(engine: Engine) -> Iterator[GroupWriter]:
    with a_writer(engine) as writer:
        yield writer
