"""THREATS 81: docs/howto/backup-and-restore.md, done: a copy made while serving is restored, verified and served."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from bench.servers import served
from tests.chaos.asking import ask_hook
from tests.chaos.ledger import Ledger, repeat_all
from tests.conftest import environment, run_cds
from tests.databases import Database

pytestmark = pytest.mark.slow


def back_up(database: Database, copy: Path) -> None:
    if database.server is None:
        with closing(sqlite3.connect(database.directory / "cds.db")) as source, closing(sqlite3.connect(copy)) as sink:
            source.backup(sink)
        return
    program = database.server.program("pg_dump")
    subprocess.run([program, "--format=custom", f"--file={copy}", database.url], check=True)


def restore(database: Database, copy: Path, directory: Path) -> Database:
    """The copy as a database of its own, beside the first."""
    directory.mkdir()
    if database.server is None:
        (directory / "cds.db").write_bytes(copy.read_bytes())
        return Database("sqlite", f"sqlite:///{directory}/cds.db", directory)
    url = database.server.url(database.server.create())
    subprocess.run([database.server.program("pg_restore"), f"--dbname={url}", "--no-owner", copy], check=True)
    return Database("postgresql", url, directory, database.server)


def verified(database: Database, head: Path) -> dict[str, object]:
    variables = environment(database.directory, **database.settings)
    document: dict[str, object] = json.loads(
        run_cds("audit", "verify", "--json", "--head", str(head), variables=variables).stdout
    )
    return document


def test_81_a_copy_made_while_serving_is_restored_verified_and_served(database: Database, tmp_path: Path) -> None:
    ledger, later = Ledger(), Ledger()
    variables = environment(database.directory, **database.settings)
    before, after, copy = tmp_path / "before.json", tmp_path / "after.json", tmp_path / "copy"
    with served(database.directory, **database.settings) as running:
        for _ in range(10):
            assert ask_hook(running.port, ledger).status == 200
        before.write_text(run_cds("audit", "head", variables=variables).stdout)
        back_up(database, copy)
        for number in range(10, 15):
            assert ask_hook(running.port, later, number).status == 200
        after.write_text(run_cds("audit", "head", variables=variables).stdout)

    restored = restore(database, copy, tmp_path / "restored")

    # Ten predictions, and the model that was put in force at the start.
    assert verified(restored, before) == {"ok": True, "rows": 11, "first_bad": None}
    assert verified(restored, after) == {"ok": False, "rows": 11, "first_bad": 12}
    with served(restored.directory, **restored.settings) as running:
        repeat_all(restored, ledger, running.port)
