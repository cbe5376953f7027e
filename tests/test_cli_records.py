"""The commands over what is stored, as an operator runs them: audit, key rotation, retention, erasure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from cds_service.storage.identity import Keyring
from cds_service.storage.sessions import open_engine
from cds_service.storage.writer import GroupWriter
from tests.conftest import environment, run_cds
from tests.databases import KINDS, SECRET, Database, a_database
from tests.storage.builders import ADA, an_entry

NEW = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
ROWS = 5


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Holds a few predictions, each of another patient of the tenant north."""
    with a_database(request, tmp_path) as database:
        engine = open_engine(database.url)
        writer = GroupWriter(engine, Keyring(SECRET))
        for number in range(ROWS):
            writer.submit(an_entry(patient=replace(ADA, patient_id=f"p-{number}")))
        writer.drain()
        engine.dispose()
        yield database


def run(database: Database, *arguments: str, **more: str) -> CompletedProcess[str]:
    return run_cds(*arguments, variables=environment(database.directory, **{**database.settings, **more}))


def answer(done: CompletedProcess[str], code: int = 0) -> dict[str, object]:
    assert (done.returncode, done.stderr) == (code, "")
    document: dict[str, object] = json.loads(done.stdout)
    return document


def test_80_an_audit_log_that_is_whole_is_said_to_be(database: Database) -> None:
    assert answer(run(database, "audit", "verify", "--json")) == {"ok": True, "rows": ROWS, "first_bad": None}
    assert run(database, "audit", "verify").stdout == f"audit chain whole: {ROWS} rows\n"


def test_80_the_first_row_that_was_altered_is_named_with_exit_1(database: Database) -> None:
    database.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 3")

    found = answer(run(database, "audit", "verify", "--json"), code=1)

    assert found == {"ok": False, "rows": ROWS, "first_bad": 3}


def test_80_a_database_put_back_to_an_earlier_state_is_found_by_a_head_kept_elsewhere(database: Database) -> None:
    kept = database.directory / "head.json"
    kept.write_text(run(database, "audit", "head").stdout)
    assert answer(run(database, "audit", "verify", "--json", "--head", str(kept)))["ok"]

    for seq, hexadecimal, broken in ((ROWS + 4, "00" * 32, ROWS + 1), (2, "00" * 32, 2)):
        kept.write_text(json.dumps({"seq": seq, "hash": hexadecimal}))
        found = answer(run(database, "audit", "verify", "--json", "--head", str(kept)), code=1)
        assert found["first_bad"] == broken


@pytest.mark.parametrize("text", ["", "{}", '{"seq": 1, "hash": "no"}'])
def test_a_head_that_is_none_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "head.json").write_text(text)

    done = run_cds("audit", "verify", "--head", str(tmp_path / "head.json"), variables=environment(tmp_path))

    assert done.returncode == 1
    assert "is not what `cds audit head` printed" in done.stderr


def test_the_key_is_rotated_and_the_old_one_can_go(database: Database) -> None:
    both = {"CDS_SECRET_KEY": NEW, "CDS_SECRET_KEY_PREVIOUS": SECRET}

    assert answer(run(database, "identity", "rotate-key", "--json", **both)) == {"ok": True, "rows": ROWS}
    assert answer(run(database, "audit", "verify", "--json", CDS_SECRET_KEY=NEW))["ok"]
    assert run(database, "audit", "verify").returncode == 1


def test_a_rotation_without_the_previous_key_is_refused_with_the_remedy(database: Database) -> None:
    done = run(database, "identity", "rotate-key")

    assert done.returncode == 1
    assert "CDS_SECRET_KEY_PREVIOUS" in done.stderr


def test_one_patient_is_erased_by_command(database: Database) -> None:
    erased = run(database, "erase", "--tenant", "north", "--patient", "p-1", "--reference", "request 7", "--json")

    assert answer(erased) == {"ok": True, "deleted": {"predictions": 1, "identities": 1}}
    assert (
        answer(run(database, "audit", "verify", "--json"))["rows"] == ROWS + 2
    )  # first that whose are not to come back, then what was deleted


def test_retention_is_by_setting(database: Database) -> None:
    assert "everything is kept" in run(database, "retention", CDS_MESSAGE_RETENTION_DAYS="0").stderr
    assert answer(run(database, "retention", "--json", CDS_RETENTION_DAYS="36500")) == {"ok": True, "deleted": {}}
