"""THREATS 37 and 85 over sockets: a token taken on its way and brought again, at once, elsewhere and after a kill."""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import Any

import pytest

from bench.servers import Running, served
from tests.conftest import PUBLIC_URL
from tests.databases import Database
from tests.web.calls import PATH, fixture
from tests.web.tokens import a_token, clients_file

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery staple"


def ask(port: int, authorization: str, body: dict[str, Any]) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        headers = {"Content-Type": "application/json", "Authorization": authorization}
        connection.request("POST", PATH, json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def fresh_token() -> str:
    now = int(time.time())
    return a_token(iat=now, exp=now + 300)


def guarded(database: Database, **more: str) -> dict[str, str]:
    """The settings of a service that asks who calls."""
    return {
        **database.settings,
        "CDS_CLIENT_AUTH": "required",
        "CDS_PUBLIC_URL": PUBLIC_URL,
        "CDS_CLIENTS_FILE": str(clients_file(database.directory)),
        **more,
    }


def kill(service: Running) -> None:
    os.killpg(service.pid, 9)
    service.process.wait(10)


def assert_no_secret_is_written(database: Database, *secrets: str) -> None:
    """Neither the logs nor what the processes printed, nor on SQLite any file of the database."""
    places = [path for path in database.directory.iterdir() if path.is_file() and path.suffix not in (".toml", ".json")]
    assert any(path.name == "service.log" for path in places)
    written = b"".join(path.read_bytes() for path in places)
    assert [secret for secret in secrets if secret.encode() in written] == []
    assert b"eyJ" not in written


def test_c37_a_stolen_token_opens_one_door_whatever_the_thief_does(database: Database) -> None:
    """Eight lines bring it at once, on PostgreSQL to two services; then everything is killed and it comes again."""
    stolen, settings = fresh_token(), guarded(database)
    bodies = [fixture() for _ in range(8)]
    with ExitStack() as stack:
        count = 2 if database.kind == "postgresql" else 1
        services = [stack.enter_context(served(database.directory, **settings)) for _ in range(count)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: ask(services[n % count].port, f"Bearer {stolen}", bodies[n]), range(8)))
        for service in services:
            kill(service)

    assert Counter(status for status, _ in answers) == {200: 1, 401: 7}
    first = next(n for n, (status, _) in enumerate(answers) if status == 200)
    with served(database.directory, **settings) as restarted:
        again = ask(restarted.port, f"Bearer {stolen}", bodies[first])
        other = ask(restarted.port, f"Bearer {stolen}", fixture())
    assert again == answers[first]
    assert other[0] == 401
    assert all(b"authentication is required" in body for status, body in [*answers, other] if status == 401)
    assert database.rows("SELECT count(*) FROM predictions") == [(1,)]
    assert_no_secret_is_written(database, stolen)


def test_a_flood_of_refusals_holds_up_no_client_and_fills_no_table(database: Database) -> None:
    """Guessed passwords, stolen and made-up tokens from eight lines; a client calls meanwhile, each time in time."""
    guesses = [
        "Bearer a.b.c",
        f"Bearer {fresh_token()}x",
        "Bearer cds_abcdefghijkl_" + "x" * 43,
        "Basic " + b64encode(f"ada:{PASSWORD}".encode()).decode(),
    ]
    with served(database.directory, **guarded(database)) as service, ThreadPoolExecutor(8) as pool:
        ending = time.monotonic() + 3

        def guess(number: int) -> Counter[int]:
            found: Counter[int] = Counter()
            while time.monotonic() < ending:
                name = b64encode(f"n{number}-{sum(found.values())}:{PASSWORD}".encode()).decode()
                shown = [*guesses, f"Basic {name}"][sum(found.values()) % 5]
                found[ask(service.port, shown, {})[0]] += 1
            return found

        flood = [pool.submit(guess, number) for number in range(8)]
        waits = []
        while time.monotonic() < ending:
            begun = time.perf_counter()
            assert ask(service.port, f"Bearer {fresh_token()}", fixture())[0] == 200
            waits.append(time.perf_counter() - begun)
        refused = sum((one.result() for one in flood), Counter[int]())

    assert set(refused) <= {401, 429, 503}
    assert refused[401] > 100
    assert max(waits) < 2.0
    noted = [json.loads(detail) for (detail,) in database.rows("SELECT detail FROM audit WHERE action = 'refuse'")]
    assert len(noted) == 61
    assert (
        sum(bool(detail.get("reason")) + detail.get("not_noted_before", 0) for detail in noted)
        == refused[401] + refused[429]
    )
    assert_no_secret_is_written(database, PASSWORD)
