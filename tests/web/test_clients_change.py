"""The clients file changes while the service runs: added, changed and removed clients count at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.settings import followed
from tests.conftest import Clock, Service, started
from tests.web.calls import fixture, post
from tests.web.feedback_calls import stored
from tests.web.tokens import a_token, clients_file

SECOND = "https://second.example.org/oauth"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return clients_file(tmp_path)


@pytest.fixture
def guarded(
    tmp_path: Path, file: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> Iterator[Service]:
    more = {"CDS_CLIENT_AUTH": "required", "CDS_CLIENTS_FILE": str(file)}
    with started(tmp_path, empty_database, predictor, tables, **more) as service:
        yield service


@pytest.fixture
def change(file: Path, guarded: Service, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes the file anew; it is looked at without the second's wait."""
    monkeypatch.setattr(followed, "EVERY_S", 0.0)

    def write(text: str) -> None:
        file.write_text(text)

    return write


def status(service: Service, **claims: str) -> int:
    return post(service.client, fixture(), Authorization=f"Bearer {a_token(**claims)}").status_code


def second(file: Path) -> str:
    """The text of another client, with the same keys."""
    return (
        file.read_text()
        .replace("client.ehr", "client.second")
        .replace('issuer = "https://ehr', 'issuer = "https://second')
    )


def test_an_added_client_is_known_and_a_removed_one_refused(
    guarded: Service, file: Path, change: Callable[[str], None]
) -> None:
    first = file.read_text()
    other = second(file)
    assert (status(guarded), status(guarded, iss=SECOND)) == (200, 401)

    change(first + other)
    assert (status(guarded), status(guarded, iss=SECOND)) == (200, 200)

    change(other)
    assert (status(guarded), status(guarded, iss=SECOND)) == (401, 200)


@pytest.mark.parametrize("text", ["", "[client.ehr]\nissuer = 7\n", "[client.ehr\n"], ids=["empty", "wrong", "half"])
def test_a_file_that_will_not_do_leaves_the_clients_as_they_were(
    guarded: Service, file: Path, change: Callable[[str], None], text: str
) -> None:
    first = file.read_text()
    change(text)
    refused = status(guarded)
    change(first)

    assert (refused, status(guarded)) == (401 if text == "" else 200, 200)
    said = [json.loads(line) for line in guarded.log.read_text().splitlines()]
    assert [one["event"] for one in said if one["event"].startswith("clients_")] == (
        ["clients_read", "clients_read"] if text == "" else ["clients_not_read"]
    )


def test_a_file_taken_away_leaves_the_clients_as_they_were(
    guarded: Service, file: Path, change: Callable[[str], None]
) -> None:
    kept = file.read_text()
    file.unlink()

    assert status(guarded) == 200
    change(kept)
    assert status(guarded) == 200


def test_a_tenant_that_changes_is_taken_from_the_next_call_on(
    guarded: Service, file: Path, change: Callable[[str], None]
) -> None:
    answered = post(guarded.client, fixture(), Authorization=f"Bearer {a_token()}")
    change(file.read_text().replace('tenant = "north"', 'tenant = "west"'))
    again = post(
        guarded.client,
        {**fixture(), "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"},
        Authorization=f"Bearer {a_token()}",
    )

    assert (answered.status_code, again.status_code) == (200, 200)
    assert stored(guarded, "SELECT tenant FROM predictions ORDER BY tenant") == ["north", "west"]
