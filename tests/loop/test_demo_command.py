"""`cds demo` as a command: what it tells and asks, with the rehearsal itself left to tests/loop/test_loop.py."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cds_service.cli import demo, main
from cds_service.demo.hospital import Hospital
from cds_service.demo.rehearsal import Came, Play


@pytest.fixture
def rehearsed(monkeypatch: pytest.MonkeyPatch) -> list[Play]:
    """Every play that was asked for; none is played."""
    asked: list[Play] = []

    @contextmanager
    def hospital(directory: Path, **ports: Any) -> Iterator[Hospital]:
        yield Hospital(directory, ports["http_port"] or 8081, 2576, {}, "shown once", "a token")

    def rehearse(_: Hospital, play: Play, *_told: object) -> Came:
        asked.append(play)
        return Came(predictions=play.visits, verdict="yes")

    monkeypatch.setattr(demo, "hospital", hospital)
    monkeypatch.setattr(demo, "rehearse", rehearse)
    return asked


def test_it_tells_where_to_look_and_the_password_once(
    rehearsed: list[Play], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.getsignal(signal.SIGTERM)

    assert main(["demo", "--directory", str(tmp_path), "--port", "8099"]) == 0

    told = capsys.readouterr().out
    assert "http://127.0.0.1:8099/triage (admin, clinician)" in told
    assert told.count("shown once") == 2  # the words, and the password of this test
    assert "a token" not in told
    assert str(tmp_path) in told
    assert [play.visits for play in rehearsed] == [4000]
    assert signal.getsignal(signal.SIGTERM) == handler


def test_it_answers_as_json_for_programs(
    rehearsed: list[Play], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = ("--visits", "50", "--seed", "7", "--delay", "3", "--error", "0.5", "--bias", "0.25")

    assert main(["demo", "--json", "--directory", str(tmp_path), *how]) == 0

    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], answer["predictions"], answer["verdict"]) == (True, 50, "yes")
    [play] = rehearsed
    assert (play.seed, play.delay, play.ward.mistaken, play.ward.swayed) == (7, 3, 0.5, 0.25)


@pytest.mark.parametrize(
    "wrong",
    [("--visits", "1"), ("--delay", "-1"), ("--error", "1.5"), ("--bias", "-0.1"), ("--minutes", "9999")],
    ids=lambda wrong: wrong[0],
)
def test_what_is_no_hospital_is_refused(
    rehearsed: list[Play], wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", *wrong]) == 1
    assert wrong[0] in capsys.readouterr().err
    assert rehearsed == []


def test_a_directory_with_a_database_is_left_alone(
    rehearsed: list[Play], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cds.db").touch()

    assert main(["demo", "--directory", str(tmp_path)]) == 1
    assert "holds a database already" in capsys.readouterr().err
    assert rehearsed == []


def test_ctrl_c_ends_it_without_a_trace(rehearsed: list[Play], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Came:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "rehearse", interrupted)
    assert main(["demo", "--directory", str(tmp_path)]) == 1
