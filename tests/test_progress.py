"""The bar of a command that works through many rows."""

from __future__ import annotations

import pytest

from cds_service.cli.progress import progress
from tests.terminal import a_terminal


def test_a_terminal_shows_how_many_of_all_came(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_terminal(monkeypatch) as shows:
        came = list(progress(iter("abcd"), 4))

        assert shows("[##############################] 4 of 4, 0 s left")
    assert came == list("abcd")


def test_nothing_is_shown_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(progress(iter("abcd"), 4)) == list("abcd")
    assert capfd.readouterr() == ("", "")
