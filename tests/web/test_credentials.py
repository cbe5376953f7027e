"""Users, tokens and limits on the whole service: what is let in, what must wait, and what is written down."""

from __future__ import annotations

import json
import re
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.services import credentials
from tests.conftest import NOW, Clock, Done, Service, cds_in, environment, run_cds, started
from tests.mllp.conversing import wait_until
from tests.web.calls import fixture, post
from tests.web.tokens import a_token, clients_file

PASSWORD = "correct horse battery staple"
FORM = "/predict?age=70&heart_rate=120"


@pytest.fixture
def guarded(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> Iterator[Service]:
    more = {
        "CDS_CLIENT_AUTH": "required",
        "CDS_CLIENTS_FILE": str(clients_file(tmp_path)),
        "CDS_RATE_LIMIT": "20",
    }
    with started(tmp_path, empty_database, predictor, tables, **more) as service:
        yield service
    written = service.log.read_text(encoding="utf-8")
    assert PASSWORD not in written
    assert re.search(r"cds_[a-z0-9]{12}_", written) is None
    for place in tmp_path.glob("cds.db*"):
        assert PASSWORD.encode() not in place.read_bytes()


def cds(service: Service, *arguments: str, typed: str = PASSWORD) -> Done:
    """A command beside the running service."""
    return cds_in(service, *arguments, typed=typed)


def add(service: Service, name: str = "ada", role: str = "clinician") -> None:
    assert cds(service, "users", "add", name, "--tenant", "north", "--role", role).returncode == 0


def token(service: Service, *arguments: str) -> str:
    done = cds(service, "tokens", "create", "lab", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return f"Bearer {json.loads(done.stdout)['token']}"


def status(service: Service, authorization: str, path: str = FORM) -> int:
    return service.client.get(path, headers={"Authorization": authorization}).status_code


def basic(name: str = "ada", password: str = PASSWORD) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


def audited(service: Service) -> list[tuple[str, str, str, dict[str, str]]]:
    with closing(sqlite3.connect(service.database)) as connection:
        rows = connection.execute(
            "SELECT action, actor, object_id, detail FROM audit WHERE action <> 'model-seed' ORDER BY seq"
        ).fetchall()
    return [(action, actor, what, json.loads(detail)) for action, actor, what, detail in rows]


def test_a_user_logs_in_and_what_they_ask_is_theirs(guarded: Service) -> None:
    add(guarded)

    assert status(guarded, basic()) == 200
    assert audited(guarded)[-1][:2] == ("predict", "ada")


def test_a_user_who_is_disabled_is_refused_and_let_in_again(guarded: Service) -> None:
    add(guarded)
    theirs = token(guarded, "--scopes", "predict", "--user", "ada")

    cds(guarded, "users", "disable", "ada")
    while_disabled = {status(guarded, basic()), status(guarded, theirs)}
    cds(guarded, "users", "enable", "ada")

    assert while_disabled == {401}
    assert {status(guarded, basic()), status(guarded, theirs)} == {200}


def test_a_new_password_ends_the_old_one(guarded: Service) -> None:
    add(guarded)

    cds(guarded, "users", "password", "ada", typed="another horse, another battery")

    assert status(guarded, basic()) == 401
    assert status(guarded, basic(password="another horse, another battery")) == 200


def test_a_new_role_counts_from_the_next_call(guarded: Service) -> None:
    add(guarded)

    cds(guarded, "users", "role", "ada", "--role", "steward")

    assert status(guarded, basic()) == 403


def test_a_token_ends_when_it_expires_or_is_revoked(guarded: Service, clock: Clock) -> None:
    first, second = (token(guarded, "--scopes", "predict", "--tenant", "north", "--days", "90") for _ in range(2))

    cds(guarded, "tokens", "revoke", first.split("_")[1])

    assert (status(guarded, first), status(guarded, second)) == (401, 200)
    clock.moment = NOW + timedelta(days=800)
    assert status(guarded, second) == 401


@pytest.mark.parametrize(
    "arguments",
    [
        ("users", "add", "ada", "--tenant", "north", "--role", "clinician"),
        ("users", "add", "a b", "--tenant", "north", "--role", "clinician"),
        ("users", "disable", "nobody"),
        ("tokens", "create", "x", "--scopes", "everything", "--tenant", "north"),
        ("tokens", "create", "command:root", "--scopes", "read", "--tenant", "north"),
        ("tokens", "create", "x", "--scopes", "read"),
        ("tokens", "create", "x", "--scopes", "read", "--user", "nobody"),
        ("tokens", "create", "x", "--scopes", "read", "--tenant", "north", "--days", "4000"),
        ("tokens", "revoke", "000000000000"),
        ("users", "add", "eve", "--tenant", "south", "--role", "clinician", "--environment", "test"),
        ("tokens", "create", "x", "--scopes", "read", "--tenant", "north", "--environment", "test"),
    ],
    ids=" ".join,
)
def test_a_command_that_cannot_be_done_says_why(guarded: Service, arguments: tuple[str, ...]) -> None:
    add(guarded)

    done = cds(guarded, *arguments)

    assert done.returncode == 1
    assert done.stderr.startswith("cds: ")


def test_a_short_password_is_refused(guarded: Service) -> None:
    done = cds(guarded, "users", "add", "ada", "--tenant", "north", "--role", "clinician", typed="short")

    assert done.returncode == 1
    assert "short" not in done.stderr


def test_every_change_of_people_and_tokens_is_audited_under_its_account(guarded: Service) -> None:
    add(guarded)
    made = token(guarded, "--scopes", "read,predict", "--user", "ada")
    cds(guarded, "users", "role", "ada", "--role", "admin")
    cds(guarded, "tokens", "revoke", made.split("_")[1])

    rows = audited(guarded)

    assert [row[0] for row in rows] == ["user-add", "token-create", "user-role", "token-revoke"]
    assert all(row[1].startswith("command:") for row in rows)
    assert rows[1][3] == {"name": "lab", "user": "ada", "scopes": "predict read"}
    assert PASSWORD not in str(rows)


def test_lists_show_nothing_that_proves_anybody(guarded: Service) -> None:
    add(guarded)
    made = token(guarded, "--scopes", "read", "--user", "ada")

    people, tokens = cds(guarded, "users", "list").stdout, cds(guarded, "tokens", "list").stdout

    assert people == "ada\tnorth\tproduction\tclinician\tactive\n"
    assert "argon2" not in people
    assert made.split("_")[1] in tokens
    assert made.split("_")[2] not in tokens


def test_threat_73_a_name_that_failed_often_must_wait(guarded: Service) -> None:
    add(guarded)
    tries = [status(guarded, basic(password=f"guess number {number}")) for number in range(6)]

    response = guarded.client.get(FORM, headers={"Authorization": basic()})

    assert tries == [401] * 5 + [429]
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 60


def test_threat_73_another_name_does_not_wait_for_it(guarded: Service) -> None:
    add(guarded)
    for number in range(6):
        status(guarded, basic("mallory", f"guess number {number}"))

    assert status(guarded, basic()) == 200


def test_threat_14_a_client_over_its_limit_is_told_when_to_come_back(guarded: Service) -> None:
    lab = token(guarded, "--scopes", "predict", "--tenant", "north")
    answers = [guarded.client.get(FORM, headers={"Authorization": lab}) for _ in range(21)]

    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert [answers[0].headers[f"RateLimit-{part}"] for part in ("Limit", "Remaining")] == ["20", "19"]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert guarded.client.get("/readyz").status_code == 200
    assert post(guarded.client, fixture(), Authorization=f"Bearer {a_token()}").status_code == 200


@pytest.mark.parametrize("shown", ["Basic !!!", "Basic YQ==", "Basic " + b64encode(b"\xff:\xff").decode(), "Basic "])
def test_what_is_no_name_and_password_is_401(guarded: Service, shown: str) -> None:
    assert status(guarded, shown) == 401


def test_threat_73_an_unknown_name_is_not_written_down_since_it_may_be_a_password(guarded: Service) -> None:
    add(guarded)

    status(guarded, basic("hunter2.hunter2.hunter2", "ada"))
    status(guarded, basic("ada", "hunter2.hunter2.hunter2"))

    assert [row[3] for row in audited(guarded)[-2:]] == [{"reason": "password"}, {"reason": "password", "user": "ada"}]


def test_threat_73_long_names_by_the_thousand_fill_no_memory(guarded: Service) -> None:
    for number in range(200):
        assert status(guarded, basic(f"{number}-" + "x" * 10_000, "p")) == 401

    assert guarded.runtime.logins._failures == {}


def test_threat_73_passwords_under_check_hold_up_nobody_else(guarded: Service) -> None:
    """The first is being checked, two wait for it, and a fourth is told to come back: calls go on meanwhile."""
    add(guarded)
    with ThreadPoolExecutor(3) as pool:
        with credentials._CHECKING:
            first = [pool.submit(status, guarded, basic()) for _ in range(3)]
            wait_until(lambda: not credentials._HERE._value)
            fourth = guarded.client.get(FORM, headers={"Authorization": basic()})
            other = post(guarded.client, fixture(), Authorization=f"Bearer {a_token()}")

        assert (fourth.status_code, fourth.headers["Retry-After"]) == (503, "1")
        assert other.status_code == 200
        assert [one.result() for one in first] == [200] * 3


def test_threat_72_counts_are_for_stewards_and_what_they_make_a_token_for(guarded: Service) -> None:
    add(guarded, "ops", role="steward")
    add(guarded)
    scrape = token(guarded, "--scopes", "metrics", "--user", "ops")

    found = {who: status(guarded, who, "/metrics") for who in (scrape, basic("ops"), basic(), "")}

    assert list(found.values()) == [200, 200, 403, 401]
    assert status(guarded, scrape) == 403


def test_a_token_named_as_a_client_or_a_user_is_neither(guarded: Service) -> None:
    add(guarded, "ehr")
    made = cds(guarded, "tokens", "create", "ehr", "--scopes", "predict", "--tenant", "north", "--json")
    theirs = f"Bearer {json.loads(made.stdout)['token']}"

    assert status(guarded, theirs) == 200
    assert audited(guarded)[-1][:2] == ("predict", "token:ehr")


@pytest.mark.parametrize("command", ["users list", "tokens list", "users add ada --tenant x --role admin", "mode"])
def test_a_database_that_was_not_migrated_is_said_with_the_remedy(tmp_path: Path, command: str) -> None:
    sqlite3.connect(tmp_path / "cds.db").close()

    done = run_cds(*command.split(), variables=environment(tmp_path))

    assert done.returncode == 1
    assert "run `cds migrate`" in done.stderr


@pytest.mark.parametrize("name", ["nobody", "gone", "ada"])
def test_threat_73_every_attempt_costs_one_check_whoever_it_names(
    guarded: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the time taken does not tell which names there are."""
    for one in ("ada", "gone"):
        add(guarded, one)
    cds(guarded, "users", "disable", "gone")
    hasher, checks = credentials._HASHER, []

    class Counting:
        hash = hasher.hash

        def verify(self, stored: str, password: str) -> bool:
            checks.append(stored.split("$")[:4])
            return hasher.verify(stored, password)

    monkeypatch.setattr(credentials, "_HASHER", Counting())

    assert status(guarded, basic(name, "wrong")) == 401
    assert [parameters[3] for parameters in checks] == ["m=19456,t=2,p=1"]
