"""The `cds` command as a person or a machine runs it: what it prints, its exit codes, its start and its end."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.bodies import hook_requests
from bench.client import Connection
from bench.processes import free_port, server
from cds_service import __version__
from cds_service.cli import main
from cds_service.storage.schema import HEAD_REVISION
from tests.conftest import CDS, REPOSITORY, SECRET, environment, live_service, run_cds
from tests.web.calls import faults
from tests.web.raw_http import Served, status


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


RunCds = Callable[..., Done]


@pytest.fixture
def cds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunCds:
    """A `cds` command in this process, with exactly these settings: most of a process of its own is its start."""

    def run(*arguments: str, variables: dict[str, str]) -> Done:
        with monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("CDS_")]:
                patch.delenv(name)
            for name, value in variables.items():
                patch.setenv(name, value)
            try:
                code = main(arguments)
            except SystemExit as ended:
                code = int(ended.code or 0)
        written = capsys.readouterr()
        return Done(code, written.out, written.err)

    return run


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path)


def test_migrate_makes_the_database_and_may_be_repeated(cds: RunCds, tmp_path: Path, variables: dict[str, str]) -> None:
    for _ in range(2):
        done = cds("migrate", variables=variables)
        assert (done.returncode, done.stderr) == (0, "")
        assert HEAD_REVISION in done.stdout

    assert json.loads(cds("migrate", "--json", variables=variables).stdout) == {
        "ok": True,
        "revision": HEAD_REVISION,
    }


def test_check_says_what_is_missing_then_that_nothing_is(cds: RunCds, variables: dict[str, str]) -> None:
    before = cds("check", "--json", variables=variables)
    cds("migrate", variables=variables)
    after = cds("check", "--json", variables=variables)

    assert before.returncode == 1
    assert json.loads(before.stdout)["ok"] is False
    assert "database" in json.loads(before.stdout)["problems"]
    assert (after.returncode, json.loads(after.stdout)) == (0, {"ok": True, "problems": {}})
    assert cds("check", variables=variables).stdout.splitlines() == [
        "models: ok",
        "code tables: ok",
        "rare diseases: ok",
        "database: ok",
    ]


def test_check_does_not_make_what_it_looks_for(cds: RunCds, tmp_path: Path, variables: dict[str, str]) -> None:
    cds("check", variables=variables)

    assert not (tmp_path / "cds.db").exists()


@pytest.mark.parametrize(
    "arguments", [[], ["no-such-command"], ["serve", "--no-such-option"], ["serve", "--try"], ["migrate", "twice"]]
)
def test_wrong_usage_is_exit_code_2(cds: RunCds, variables: dict[str, str], arguments: list[str]) -> None:
    done = cds(*arguments, variables=variables)

    assert done.returncode == 2
    assert "usage: cds" in done.stderr


def test_help_and_version(cds: RunCds, variables: dict[str, str]) -> None:
    assert cds("--version", variables=variables).stdout.strip() == __version__
    shown = cds("--help", variables=variables).stdout
    assert all(command in shown for command in ("serve", "migrate", "check"))


@pytest.mark.parametrize("command", ["serve", "migrate", "check"])
def test_wrong_settings_are_exit_code_1_and_one_line_without_the_secret(
    cds: RunCds, variables: dict[str, str], command: str
) -> None:
    done = cds(command, variables={**variables, "CDS_WORKERS": "many", "CDS_CLIENT_AUTH": "maybe"})

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("cds: settings: ")
    assert "CDS_WORKERS" in done.stderr
    assert "CDS_CLIENT_AUTH" in done.stderr
    assert SECRET not in done.stderr + done.stdout


def test_errors_are_json_where_json_is_asked_for(cds: RunCds, variables: dict[str, str]) -> None:
    done = cds("migrate", "--json", variables={**variables, "CDS_DATABASE_URL": "mysql://x"})

    assert done.returncode == 1
    assert json.loads(done.stderr)["ok"] is False


def spoiled_models(directory: Path) -> Path:
    """A copy of the models in which one byte of one file is another."""
    copied = shutil.copytree(REPOSITORY / "models", directory / "models")
    graph = copied / "risk" / "1.0.0" / "full.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    return Path(copied)


def test_the_console_script_is_this_command(variables: dict[str, str]) -> None:
    """The one test of exit codes on a real process."""
    assert run_cds("migrate", variables=variables).returncode == 0
    assert run_cds("check", "--json", variables=variables).stdout == '{"ok": true, "problems": {}}\n'
    assert run_cds("nothing", variables=variables).returncode == 2


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_model_that_was_changed_stops_the_start(
    cds: RunCds, tmp_path: Path, variables: dict[str, str], command: str
) -> None:
    cds("migrate", variables=variables)
    done = cds(command, variables={**variables, "CDS_MODELS_DIR": str(spoiled_models(tmp_path))})

    assert done.returncode == 1
    assert "full.onnx" in done.stderr + done.stdout


def test_serve_refuses_a_database_of_another_schema(cds: RunCds, tmp_path: Path, variables: dict[str, str]) -> None:
    cds("migrate", variables=variables)
    with closing(sqlite3.connect(tmp_path / "cds.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE schema_floor SET oldest = '9999'")
        connection.commit()
    done = cds("serve", variables=variables)

    assert done.returncode == 1
    assert "cds migrate" in done.stderr or "9999" in done.stderr
    assert done.stderr.count("\n") == 1


def test_serve_refuses_a_database_that_was_never_migrated(cds: RunCds, variables: dict[str, str]) -> None:
    done = cds("serve", variables=variables)

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "cds migrate" in done.stderr


def test_serve_refuses_to_be_open_on_the_network(cds: RunCds, variables: dict[str, str]) -> None:
    done = cds("serve", variables={**variables, "CDS_HTTP_BIND": "0.0.0.0:8080"})

    assert done.returncode == 1
    assert "CDS_CLIENT_AUTH" in done.stderr


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, "CDS_MLLP_BIND: say where to listen"),
        ({"CDS_MLLP_BIND": "127.0.0.1:2575"}, "CDS_DATABASE_URL: SQLite takes one process's writes"),
    ],
    ids=["no-address", "sqlite"],
)
def test_a_listener_of_its_own_needs_an_address_and_postgresql(
    cds: RunCds, variables: dict[str, str], more: dict[str, str], told: str
) -> None:
    refused = cds("serve-mllp", variables={**variables, **more})

    assert refused.returncode == 1
    assert told in refused.stderr


def test_the_first_run_prints_a_line_that_returns_cards(tmp_path: Path) -> None:
    """`cds migrate`, `cds serve --try FILE`, then the printed curl line, as in `make run`; no secret was set."""
    port = free_port()
    variables = environment(tmp_path, CDS_HTTP_BIND=f"127.0.0.1:{port}", CDS_PUBLIC_URL=f"http://127.0.0.1:{port}")
    del variables["CDS_SECRET_KEY"]
    assert run_cds("migrate", variables=variables).returncode == 0
    output = tmp_path / "output.txt"
    with server([*CDS, "serve", "--try", "fixtures/hooks/try.json"], port, variables, output):
        line = re.search(r"^\s+(curl .*)$", output.read_text(), re.MULTILINE)
        assert line is not None
        asked = shlex.split(line[1])
        body = Path(asked[asked.index("-d") + 1].removeprefix("@")).read_bytes()
        url = next(part for part in asked if part.startswith("http"))
        with closing(Connection(port)) as connection:
            head = f"POST {url.partition(str(port))[2]} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            code, answer = connection.call(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    assert code == 200
    assert faults(json.loads(answer)) == []
    assert len(json.loads(answer)["cards"]) == 1
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0


def test_sigterm_answers_what_is_under_way_and_ends_with_0(tmp_path: Path) -> None:
    answers: list[int] = []
    with live_service(tmp_path) as live:

        def ask(requests: list[bytes]) -> None:
            for request in requests:
                try:
                    answers.append(status(Served(live.process, live.port).send(request)))
                except OSError:
                    return  # no longer listening

        callers = [threading.Thread(target=ask, args=(hook_requests(200, first=n * 1000),)) for n in range(8)]
        for caller in callers:
            caller.start()
        time.sleep(0.3)
        live.process.send_signal(signal.SIGTERM)
        assert live.process.wait(20) == 0
        for caller in callers:
            caller.join()

    with closing(sqlite3.connect(tmp_path / "cds.db")) as connection:
        [stored] = connection.execute("SELECT count(*) FROM predictions").fetchone()
    assert set(answers) <= {200, 503, 0}
    assert answers.count(200) > 0
    assert answers.count(200) <= stored <= answers.count(200) + 8
    assert "service_drained" in (tmp_path / "log.jsonl").read_text()


def test_sigint_ends_with_0_too(tmp_path: Path) -> None:
    with live_service(tmp_path) as live:
        live.process.send_signal(signal.SIGINT)
        assert live.process.wait(20) == 0
