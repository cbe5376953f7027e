"""A login is in the audit log before what it asks for is answered, once for the calls that belong to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.domain.codes import CodeTables
from cds_service.errors import Unavailable
from cds_service.inference.predictor import Predictor
from cds_service.monitoring.budget import KnownLogins
from tests.conftest import Service, started
from tests.web.test_credentials import add, audited, basic, cds, status, token

HOUR = 3600.0


@pytest.fixture
def guarded(tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables) -> Iterator[Service]:
    with started(tmp_path, empty_database, predictor, tables, CDS_CLIENT_AUTH="required") as service:
        yield service


class Hours:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hours(guarded: Service) -> Hours:
    clock = Hours()
    guarded.runtime.known_logins = KnownLogins(clock=clock)
    return clock


def logins(service: Service) -> list[tuple[str, str]]:
    return [(actor, about) for action, actor, about, _ in audited(service) if action == "login"]


def test_a_password_is_a_login_before_what_it_asks_for_and_calls_after_it_are_not(guarded: Service) -> None:
    add(guarded)

    assert [status(guarded, basic()) for _ in range(3)] == [200, 200, 200]
    assert [action for action, *_ in audited(guarded)] == ["user-add", "login", "predict", "predict", "predict"]
    assert logins(guarded) == [("ada", "ada")]


def test_a_token_is_a_login_of_whom_it_was_made_for(guarded: Service) -> None:
    add(guarded)
    theirs = token(guarded, "--scopes", "predict", "--user", "ada")
    systems = token(guarded, "--scopes", "predict", "--tenant", "north")

    assert {status(guarded, shown) for shown in (theirs, systems, theirs)} == {200}
    assert logins(guarded) == [("ada", theirs.split("_")[1]), ("token:lab", systems.split("_")[1])]


def test_a_login_ends_after_half_an_hour_of_nothing_and_after_twelve_hours(guarded: Service, hours: Hours) -> None:
    add(guarded)
    found = []
    for moment in (0, 0.4, 0.8, 1.31, *(1.31 + step * 0.4 for step in range(1, 31))):
        hours.now = moment * HOUR
        assert status(guarded, basic()) == 200
        found.append(len(logins(guarded)))

    assert found[:4] == [1, 1, 1, 2]
    assert found[-2:] == [2, 3]


def test_a_new_password_is_a_new_login(guarded: Service) -> None:
    add(guarded)
    status(guarded, basic())
    cds(guarded, "users", "password", "ada", typed="another horse battery staple")

    assert status(guarded, basic(password="another horse battery staple")) == 200
    assert logins(guarded) == [("ada", "ada")] * 2


@pytest.mark.parametrize("shown", ["password", "token"])
def test_what_is_refused_is_no_login(guarded: Service, shown: str) -> None:
    add(guarded)
    refused = (
        basic(password="wrong horse battery staple") if shown == "password" else "Bearer cds_abcdefghijkl_" + "x" * 43
    )

    assert status(guarded, refused) == 401
    assert logins(guarded) == []


def test_a_login_that_cannot_be_recorded_lets_nobody_in(guarded: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    add(guarded)

    def away(*_: object, **__: object) -> None:
        raise Unavailable("away", where="database")

    with monkeypatch.context() as held:
        held.setattr(type(guarded.runtime.writer), "submit_audit", away)
        assert status(guarded, basic()) == 503
    assert status(guarded, basic()) == 200
    assert logins(guarded) == [("ada", "ada")]
