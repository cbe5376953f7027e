"""`cds demo` as a command: what it tells and asks, with the rehearsal itself left to tests/loop/test_loop.py."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from cds_service.cli import demo, main
from cds_service.demo.bound import Bound
from cds_service.demo.hospital import Hospital, rules_of_a_rehearsal
from cds_service.demo.rehearsal import Came, Play
from cds_service.demo.rehearsal import rehearse as real_rehearse
from cds_service.errors import Unavailable
from cds_service.settings.dataset import dataset_rules


def hospital_of(clock: Callable[[], float]) -> Callable[..., AbstractContextManager[Hospital]]:
    """What makes a hospital without a service, whose time goes by the clock."""

    @contextmanager
    def hospital(directory: Path, **given: Any) -> Iterator[Hospital]:
        bound = Bound(given["within_s"], clock)
        yield Hospital(directory, given["http_port"] or 8081, 2576, {}, bound, "shown once", "a token")

    return hospital


@pytest.fixture
def rehearsed(monkeypatch: pytest.MonkeyPatch) -> list[Play]:
    """Every play that was asked for; none is played."""
    asked: list[Play] = []

    def rehearse(_: Hospital, play: Play, *_told: object) -> Came:
        asked.append(play)
        return Came(predictions=play.visits, verdict="yes")

    monkeypatch.setattr(demo, "hospital", hospital_of(monotonic))
    monkeypatch.setattr(demo, "rehearse", rehearse)
    return asked


def test_datasets_of_a_rehearsal_wait_for_nothing_and_keep_nobody_apart(tmp_path: Path) -> None:
    ours = dataset_rules(None)

    found = dataset_rules(rules_of_a_rehearsal(tmp_path))

    assert found == replace(ours, maturity_days=dict.fromkeys(ours.maturity_days, 0), holdout_share=0)


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
    assert [play.visits for play in rehearsed] == [3000]
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
    [
        ("--visits", "1"),
        ("--delay", "-1"),
        ("--error", "1.5"),
        ("--bias", "-0.1"),
        ("--minutes", "9999"),
        ("--within", "0"),
    ],
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


def test_a_rehearsal_of_more_than_two_minutes_ends_with_an_error_that_says_what_to_do(
    rehearsed: list[Play], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    passed = iter([0.0, 119.0, 121.0])
    monkeypatch.setattr(demo, "hospital", hospital_of(lambda: next(passed)))

    def rehearse(made: Hospital, *_: object) -> Came:
        assert made.bound.left_s() == 1.0
        made.bound.left_s()
        raise AssertionError("went on")

    monkeypatch.setattr(demo, "rehearse", rehearse)
    assert main(["demo", "--directory", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "took more than 120 s" in said
    assert "--within" in said


def test_a_command_of_the_hospital_is_ended_with_the_rehearsals_time(tmp_path: Path) -> None:
    made = Hospital(tmp_path, 8081, 2576, {}, Bound(0.05), "a password", "a token")

    with pytest.raises(Unavailable, match=r"took more than 0\.05 s"):
        made.run("history", "risk")


def test_no_visit_is_begun_when_the_time_is_over(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as monitors:
        made = Hospital(tmp_path, 8081, monitors.getsockname()[1], {}, Bound(0.0), "a password", "a token")

        with pytest.raises(Unavailable, match="took more than 0 s"):
            real_rehearse(made, Play(visits=40), lambda found, _: found, lambda _: None)
