"""A training shows on a terminal what it is doing and what came of it, and is silent where nobody watches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.terminal import a_terminal
from training.leaderboard import leaderboard_on_terminal, progress_on_terminal

FIGURES = ("auroc", "auprc", "f1", "recall", "brier", "expected_over_observed")


def test_a_terminal_shows_which_family_is_fitted_and_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_terminal(monkeypatch) as shows:
        with progress_on_terminal() as report:
            report("XGBoost")
            report("random forest")

        assert shows("2/13 random forest")


def test_nothing_is_shown_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with progress_on_terminal() as report:
        report("XGBoost")

    assert capfd.readouterr() == ("", "")


def test_the_leaderboard_names_each_family_with_its_figures(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    line = {"family": "XGBoost", "served": True, "nested": {"mean": 1.5}}
    line["overall"] = {name: {"value": 0.125} for name in FIGURES} | {"f1": {"value": None}}
    (tmp_path / "evaluation.json").write_text(json.dumps({"task": "state", "leaderboard": [line]}))

    leaderboard_on_terminal(tmp_path)

    told = capfd.readouterr().out
    assert all(word in told for word in ("state", "XGBoost", "1.500", "0.125"))
