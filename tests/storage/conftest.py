from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cds_service.storage.schema import migrate
from cds_service.storage.sessions import open_engine
from cds_service.storage.writer import GroupWriter
from tests.storage.builders import a_writer


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    path = tmp_path / "cds.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def engine(database_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{database_path}")
    yield engine
    engine.dispose()


@pytest.fixture
def writer(engine: Engine) -> Iterator[GroupWriter]:
    with a_writer(engine) as writer:
        yield writer
