"""wsgi.py under gunicorn and waitress: other servers answer the same hook, and end when they are told to."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bench.bodies import hook_requests
from bench.client import Connection
from bench.processes import free_port, server
from tests.conftest import PATIENT_DATA, REPOSITORY, environment, run_cds
from tests.web.calls import faults

SERVERS = {
    "gunicorn": ["-m", "gunicorn", "-k", "gthread", "--threads", "8", "-w", "1", "-b", "127.0.0.1:{port}", "wsgi:app"],
    "waitress": ["-m", "waitress", "--listen=127.0.0.1:{port}", "wsgi:app"],
}
ENDED = {"gunicorn": {0}, "waitress": {0, -signal.SIGTERM}}  # waitress leaves SIGTERM to its default


@contextmanager
def running(directory: Path, name: str) -> Iterator[tuple[int, list[int]]]:
    """The server's port, and its exit code once the block ended and it was sent SIGTERM."""
    port, codes = free_port(), list[int]()
    variables = environment(directory, CDS_LOG_FILE=str(directory / "log.jsonl"))
    run_cds("migrate", variables=variables)
    command = [sys.executable, *[part.format(port=port) for part in SERVERS[name]]]
    with server(command, port, variables, directory / "output.txt") as process:
        yield port, codes
        process.send_signal(signal.SIGTERM)
        codes.append(process.wait(20))


@pytest.mark.parametrize("name", SERVERS)
def test_a_hook_is_answered_stored_and_the_server_ends_on_sigterm(tmp_path: Path, name: str) -> None:
    requests = hook_requests(10)
    with running(tmp_path, name) as (port, codes), closing(Connection(port)) as connection:
        answers = [connection.call(request) for request in [*requests, requests[0]]]
        refused, body = connection.call(requests[0].replace(b"patient-view", b"order-review"))
        ready, _ = connection.call(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")

    assert {status for status, _ in answers} == {200}
    assert all(faults(json.loads(answer)) == [] for _, answer in answers)
    assert answers[-1] == answers[0]
    assert (refused, json.loads(body)["resourceType"]) == (400, "OperationOutcome")
    assert ready == 200
    assert codes[0] in ENDED[name]
    with closing(sqlite3.connect(tmp_path / "cds.db")) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (10,)
    written = (tmp_path / "output.txt").read_text() + (tmp_path / "log.jsonl").read_text()
    assert [data for data in (*PATIENT_DATA, "Traceback") if data in written] == []


def test_wsgi_does_not_start_on_wrong_settings_and_names_them(tmp_path: Path) -> None:
    broken = environment(tmp_path, CDS_WORKERS="many")
    done = subprocess.run(
        [sys.executable, "-c", "import wsgi"],
        env=broken,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("CDS_WORKERS: give a number from 1 to 64")
