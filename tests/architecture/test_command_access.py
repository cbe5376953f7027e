"""Every command has its row in the access table: what it leaves in the audit log, under which account and key."""

from __future__ import annotations

import os
import pwd
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

import pytest

from cds_service.access import ACCESS
from cds_service.cli import commands, main, operate
from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.storage.people import add_token, add_user
from cds_service.storage.prediction_log import new_prediction_id
from tests.conftest import REPOSITORY, environment, started
from tests.databases import SECRET, Database
from tests.storage.builders import NOW, a_token_row, a_user_row, an_entry
from tests.web.test_messages import post
from tests.web.test_replayed_messages import GOOD, Away, scored_by

ACCOUNT = f"command:{pwd.getpwuid(os.getuid()).pw_name}"
PASSWORD = "correct horse battery staple"
OTHER = "4c1f0a9be37d2865c0f1a2b39d8e7f6054e3d2c1b0a998877f6e5d4c3b2a1908"
NAMES = sorted(name for name in ACCESS if name.startswith("cds "))
CHANGING = [name for name in NAMES if ACCESS[name].records]

HISTORY = REPOSITORY / "fixtures" / "history"

# What each command is run with, where its words are not enough.
ARGUMENTS: dict[str, Sequence[str]] = {
    "cds users add": ("grace", "--tenant", "north", "--role", "clinician"),
    "cds users role": ("ada", "--role", "steward"),
    "cds users password": ("ada",),
    "cds users disable": ("ada",),
    "cds users enable": ("ada",),
    "cds tokens create": ("lab", "--scopes", "read", "--tenant", "north"),
    "cds tokens revoke": ("abcdefghijkl",),
    "cds erase": ("--patient", "p-1", "--tenant", "north"),
    "cds rare bench": (str(REPOSITORY / "docs" / "nothing"),),
    "cds rare effect": ("north",),
    "cds import-history": ("nowhere.csv", "--columns", str(HISTORY / "map.toml"), "--tenant", "north"),
    "cds train": ("risk", "--data", "nowhere"),
    "cds retrain": ("risk", "--reason", "test", "--window", "1"),
    "cds export-labels": ("--task", "risk", "--out", "nowhere"),
    "cds promote": ("risk", "9.9.9", "--user", "ada", "--reason", "a test"),
    "cds rollback": ("risk", "--user", "ada", "--reason", "a test"),
    "cds shadow": ("risk", "9.9.9", "--user", "ada", "--reason", "a test"),
    "cds shadow-report": ("risk",),
    "cds history": ("risk",),
    "cds replay": ("018e3a5c-0000-7000-8000-000000000001",),
    "cds demo": ("--visits", "1"),
    "cds mode": ("north", "silent", "--reason", "a test"),
}
ON_A_MESSAGE = ("cds messages show", "cds messages replay")
# What cannot be done here: serving MLLP needs PostgreSQL, one visit makes no rehearsal, there is no such file of
# cases or history, nothing is labelled, and who asks for a model is no steward: the refusal is recorded under the name
# they gave.
DECIDING = {f"cds {word}" for word in ("promote", "rollback", "shadow")}
LEARNING = {"cds import-history", "cds export-labels", "cds train", "cds retrain"}
SAYING_NO = {"cds serve-mllp", "cds demo", "cds replay", "cds shadow-report", "cds rare bench", *LEARNING, *DECIDING}
SETTINGS = {
    "cds retention": {"CDS_RETENTION_DAYS": "1"},
    "cds identity rotate-key": {"CDS_SECRET_KEY": OTHER, "CDS_SECRET_KEY_PREVIOUS": SECRET},
}


@pytest.fixture(scope="module")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, predictor: Predictor, tables: CodeTables
) -> Path:
    """A database with a patient, a message to be scored, a user and a token, to be copied."""
    directory = tmp_path_factory.mktemp("commands")
    with started(directory, empty_database, predictor, tables) as service:
        writer = service.runtime.writer
        writer.submit(an_entry(id=new_prediction_id(NOW)))
        scored_by(service, Away())
        post(service, GOOD)
        writer.submit_change(add_user(a_user_row("ada")))
        writer.submit_change(add_token(a_token_row("abcdefghijkl")))
    return service.database


@pytest.fixture
def database(tmp_path: Path, prepared: Path) -> Database:
    shutil.copy(prepared, tmp_path / "cds.db")
    return Database("sqlite", f"sqlite:///{tmp_path}/cds.db", tmp_path)


def arguments(name: str, database: Database) -> Sequence[str]:
    """What follows the words of the command."""
    [(message,)] = database.rows("SELECT id FROM messages")
    if name == "cds demo":
        return (*ARGUMENTS[name], "--directory", str(database.directory / "demo"))
    return ARGUMENTS.get(name, (str(UUID(str(message))),) if name in ON_A_MESSAGE else ())


def run(name: str, database: Database, **more: str) -> int:
    """The exit code of the command, run by whom the environment does not say."""
    settings = environment(database.directory, **SETTINGS.get(name, {}))
    lying = {"USER": "ada", "LOGNAME": "ada", "LNAME": "ada", "USERNAME": "ada"}
    with (
        patch.dict(os.environ, {**settings, **lying, **more}),
        patch("cds_service.cli.people._password", lambda: PASSWORD),
        patch("cds_service.cli.models._password", lambda: PASSWORD),
        patch.object(operate.serving, "serve", lambda *_: 0),
    ):
        return main([*name.split()[1:], *arguments(name, database)])


def audited(database: Database) -> list[tuple[str, str]]:
    return [(action, actor) for action, actor in database.rows("SELECT action, actor FROM audit ORDER BY seq")]


def test_every_command_has_its_row_and_every_row_its_command() -> None:
    assert {" ".join(("cds", *command.words)) for command in commands()} == set(NAMES)
    assert all(ACCESS[name].roles in ({"operator"}, {"steward"}) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_command_leaves_in_the_audit_log_what_its_row_says(database: Database, name: str) -> None:
    before = audited(database)

    code = run(name, database)

    assert code == (name in SAYING_NO)
    left = audited(database)[len(before) :]
    assert {action for action, actor in left if actor == ACCOUNT} == (set() if code else {ACCESS[name].records} - {""})
    assert {(action, actor) for action, actor in left if name in DECIDING} <= {("model-refuse", "ada")}
    assert name in CHANGING or left == []


@pytest.mark.parametrize("name", CHANGING)
def test_a_command_that_does_not_hold_the_key_changes_nothing(
    database: Database, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = database.rows("SELECT count(*), max(seq) FROM audit"), database.rows("SELECT seal FROM audit_head")
    wrong = {"CDS_SECRET_KEY": OTHER, "CDS_SECRET_KEY_PREVIOUS": OTHER[::-1]}

    assert run(name, database, **wrong) == 1
    assert re.search("CDS_SECRET_KEY: is not the key|sealed with key", capsys.readouterr().err)
    assert (
        database.rows("SELECT count(*), max(seq) FROM audit"),
        database.rows("SELECT seal FROM audit_head"),
    ) == before


@pytest.mark.parametrize("name", ["cds serve", "cds check"])
def test_a_service_is_not_started_with_a_key_that_is_not_the_databases(
    database: Database, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(name, database, CDS_SECRET_KEY=OTHER) == 1
    written = capsys.readouterr()
    assert "CDS_SECRET_KEY: is not the key this database was written with" in written.out + written.err
