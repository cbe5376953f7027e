"""A test that takes `database` runs on SQLite and on PostgreSQL, each migrated and its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import KINDS, Database, a_database


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with a_database(request, tmp_path) as database:
        yield database
