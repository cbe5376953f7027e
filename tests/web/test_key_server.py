"""THREATS 41 and 42 on the whole service: keys fetched over a socket from a key server that fails, lags and rotates."""

from __future__ import annotations

import socket
import sqlite3
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from werkzeug.test import TestResponse

from cds_service.cdshooks import key_store
from cds_service.cdshooks.key_source import KeySource
from cds_service.cdshooks.key_store import KeyStore
from cds_service.domain.codes import CodeTables
from cds_service.fhir.client import CALLS_LIMIT, FhirClient
from cds_service.inference.predictor import Predictor
from tests.conftest import Clock, Service, started
from tests.fhir.fhir_server import Answer, FhirServer, a_fhir_server, answer
from tests.web.calls import fixture, post
from tests.web.tokens import ISSUER, a_token, elliptic_key, key_set

PATH = "/jwks"
TLS = ssl.create_default_context()  # read once: it takes longer than a key set


def published(**keys: object) -> bytes:
    return answer(key_set(**keys), media="application/jwk-set+json")


@pytest.fixture
def server() -> Iterator[FhirServer]:
    """The client's key server with its first key."""
    with a_fhir_server({PATH: published(first=elliptic_key("first"))}) as server:
        yield server


@pytest.fixture
def age(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets so many seconds pass for the keys that are kept."""
    passed = [0.0]
    real = key_store.monotonic
    made = KeyStore.__init__
    monkeypatch.setattr(KeyStore, "__init__", lambda self, fetch: made(self, fetch, clock=lambda: real() + passed[0]))

    def let_pass(seconds: float) -> None:
        passed[0] += seconds

    return let_pass


@pytest.fixture
def service(
    tmp_path: Path,
    empty_database: Path,
    predictor: Predictor,
    tables: CodeTables,
    clock: Clock,
    server: FhirServer,
    age: Callable[[float], None],
) -> Iterator[Service]:
    """A service that fetches the client's keys from that server, and gives it a second."""
    (tmp_path / "clients.toml").write_text(
        f"[client.ehr]\nissuer = '{ISSUER}'\nenvironment = 'production'\ntenant = 'north'\n"
        f"jku = 'http://127.0.0.1:{server.port}{PATH}'\n"
    )
    more = {
        "CDS_CLIENT_AUTH": "required",
        "CDS_CLIENTS_FILE": str(tmp_path / "clients.toml"),
        "CDS_ALLOW_HTTP_FHIR": "yes",
    }
    with started(tmp_path, empty_database, predictor, tables, **more) as service:
        service.runtime.fhir = FhirClient(deadline_s=1.0, tls=TLS)
        yield service


def call(service: Service, name: str, **header: str) -> TestResponse:
    """A call signed with the key of this name, under a key id of the same name."""
    token = a_token(elliptic_key(name), header={"kid": name, **header})
    return post(service.client, fixture(), Authorization=f"Bearer {token}")


def reasons(service: Service) -> list[str]:
    with closing(sqlite3.connect(service.database)) as connection:
        rows = connection.execute("SELECT json_extract(detail, '$.reason') FROM audit WHERE action = 'refuse'")
        return [reason for (reason,) in rows]


def reset(connection: socket.socket, _ending: Event) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def hang(_connection: socket.socket, ending: Event) -> None:
    ending.wait(5)


def drip(connection: socket.socket, ending: Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while not ending.wait(0.02):
        connection.sendall(b" ")


def flood(connection: socket.socket, ending: Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while not ending.is_set():
        connection.sendall(b" " * 65536)


OUTAGES: dict[str, Answer] = {
    "500": answer(b"{}", status="500 Internal Server Error"),
    "404": answer(b"", status="404 Not Found"),
    "moved": answer(b"", status="302 Found", more=("Location: http://127.0.0.1:1/jwks",)),
    "no keys": answer(b'{"keys": []}'),
    "no JSON": answer(b"<html>"),
    "html": answer(key_set(thief=elliptic_key("thief")), media="text/html"),
    "private keys": answer(b'{"keys": [{"kty": "EC", "kid": "first", "d": "x"}]}'),
    "deep": answer(b'{"keys":' + b"[" * 5000),
    "reset": reset,
    "silent": hang,
    "dripping": drip,
    "endless": flood,
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_c41_an_outage_of_the_key_server_leaves_known_keys_good(
    service: Service, server: FhirServer, age: Callable[[float], None], outage: Answer
) -> None:
    assert call(service, "first").status_code == 200

    server.answers[PATH] = outage
    age(key_store.FETCHED_AGE_S + 1)

    assert call(service, "first").status_code == 200
    assert call(service, "thief").status_code == 401
    server.answers[PATH] = published(second=elliptic_key("second"))
    age(key_store.FETCHED_AGE_S + 1)
    assert [call(service, name).status_code for name in ("second", "first")] == [200, 401]


def test_c41_a_key_server_away_at_start_is_asked_again(
    service: Service, server: FhirServer, age: Callable[[float], None]
) -> None:
    sound, server.answers[PATH] = server.answers[PATH], hang
    assert call(service, "first").status_code == 401

    server.answers[PATH] = sound
    age(key_store.RETRY_S + 1)

    assert call(service, "first").status_code == 200


def test_c41_unknown_key_ids_cost_no_call_each(service: Service, server: FhirServer) -> None:
    assert call(service, "first").status_code == 200

    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(lambda n: call(service, f"guess-{n}").status_code, range(40)))

    assert statuses == {401}
    assert len(server.requests) == 1
    assert set(reasons(service)) == {"kid"}


def test_c41_fhir_servers_that_take_every_call_leave_known_keys_good(
    service: Service, age: Callable[[float], None]
) -> None:
    assert call(service, "first").status_code == 200

    age(key_store.FETCHED_AGE_S + 1)
    with _all_taken(service.runtime.fhir):
        status = call(service, "first").status_code

    assert status == 200


@contextmanager
def _all_taken(client: FhirClient) -> Iterator[None]:
    for _ in range(CALLS_LIMIT):
        client._calls.acquire()
    yield
    for _ in range(CALLS_LIMIT):
        client._calls.release()


def test_c42_a_client_rotates_its_keys_without_a_refused_call(
    service: Service, server: FhirServer, age: Callable[[float], None]
) -> None:
    """Both keys are published while calls with the old one are under way; then the old one is withdrawn."""
    assert call(service, "first").status_code == 200

    server.answers[PATH] = published(first=elliptic_key("first"), second=elliptic_key("second"))
    age(key_store.RETRY_S + 1)
    both = [call(service, name).status_code for name in ("second", "first", "second")]
    server.answers[PATH] = published(second=elliptic_key("second"))
    age(key_store.FETCHED_AGE_S + 1)

    assert both == [200, 200, 200]
    assert [call(service, name).status_code for name in ("second", "first")] == [200, 401]
    assert len(server.requests) == 3


def test_c32_a_token_that_names_one_of_several_addresses_is_held_against_the_keys_of_that_one(
    service: Service, server: FhirServer
) -> None:
    """While an EHR moves its keys; a token that names no address may be signed with a key of either."""
    [ehr] = service.runtime.clients.http.values()
    addresses = [f"http://127.0.0.1:{server.port}{path}" for path in (PATH, "/moved")]
    server.answers["/moved"] = published(moved=elliptic_key("moved"))
    both = replace(ehr, keys=tuple(KeySource(address=one) for one in addresses))
    clients = replace(service.runtime.clients, http={ISSUER: both})
    service.runtime.settings, service.runtime.followed = replace(service.runtime.settings, clients=clients), None

    named = [call(service, name, jku=address).status_code for name in ("first", "moved") for address in addresses]

    assert named == [200, 401, 401, 200]
    assert reasons(service) == ["kid", "kid"]
    assert [call(service, name).status_code for name in ("first", "moved")] == [200, 200]


def test_c32_no_address_but_the_registered_one_is_ever_called(service: Service, server: FhirServer) -> None:
    with a_fhir_server({PATH: published(thief=elliptic_key("thief"))}) as elsewhere:
        token = a_token(
            elliptic_key("thief"), header={"kid": "thief", "jku": f"http://127.0.0.1:{elsewhere.port}{PATH}"}
        )
        response = post(service.client, fixture(), Authorization=f"Bearer {token}")

        assert (response.status_code, elsewhere.requests) == (401, [])
    assert reasons(service) == ["jku"]
