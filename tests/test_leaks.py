from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import REPOSITORY
from tests.leaks import leaks_in, scan

SOUND = (
    '{"time":"2026-03-14T08:40:12.138142Z","level":"info","event":"prediction_logged","module":"cds_service.web",'
    '"request_id":"9f86d08188401281","prediction_id":"01a1fdd4-c5a1-79c9-9d11-654a20a7373b","milliseconds":12.8,'
    '"count":128,"not_used":["stale","impossible"],"reason":"MSH-12: must be from 2.1 to 2.9","status":503}\n'
)
PLANTED = {
    "a signed token": '"reason":"eyJhbGciOiJub25lIn0.c2VjcmV0.abc"',
    "a token of ours": f'"reason":"cds_abcdefghijkl_{"x" * 43}"',
    "an Authorization header": '"reason":"Basic YWRhOmNvcnJlY3Q="',
    "an access token": '"fhirAuthorization":{"access_token":"x"}',
    "a password": '"reason":"ada:correct horse battery staple"',
    "a name": '"reason":"no such patient: Ferrer"',
    "a birth date": '"reason":"born 1954-11-02"',
    "an identifier": '"where":"Patient/1288992"',
    "a vital value": '"reason":"heart rate 128 is too high"',
}


def test_a_sound_log_holds_nothing_that_must_not_be_there() -> None:
    assert leaks_in(SOUND) == []


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_leak_is_found(kind: str) -> None:
    assert leaks_in(f"{SOUND}{{{PLANTED[kind]}}}\n") == [kind]


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize("leak", [True, False], ids=["leaking", "sound"])
def test_a_leak_fails_a_run_whose_tests_pass(workers: str, leak: bool) -> None:
    """The leak is written by a process a test starts, as a service's log is; and not where this run would find it."""
    with TemporaryDirectory() as name:
        done, found = run(Path(name), workers, PLANTED["a name"] if leak else "sound")

    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == (1 if leak else 0)
    assert ("service.log: a name" in done.stdout) is leak
    assert bool(found) is leak


def run(tmp_path: Path, workers: str, text: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """A run of one test that writes this text, and what is found below its directory."""
    (tmp_path / "conftest.py").write_text("from tests.leaks import pytest_sessionfinish\n")
    (tmp_path / "test_one.py").write_text(
        "import subprocess, sys\n"
        "def test_one(tmp_path):\n"
        f"    text = {text!r}\n"
        "    with (tmp_path / 'service.log').open('w') as log:\n"
        "        subprocess.run([sys.executable, '-c', f'print({text!r})'], stdout=log, check=True)\n"
    )

    command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:cacheprovider", "--basetemp", "run", "."]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, timeout=120
    )
    return done, scan(tmp_path / "run")
