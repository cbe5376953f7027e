from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from threading import Event
from time import monotonic
from typing import Any

import pytest

from cds_service.errors import DataRequired, Unavailable
from cds_service.fhir import client as client_module
from cds_service.fhir.access import FetchFailed, FhirAccess, ServerRule, granted_access, may_connect
from cds_service.fhir.client import BYTES_LIMIT, FhirClient
from tests.fhir.fhir_server import FhirServer, a_fhir_server, answer

DEADLINE_S = 0.6
QUERY = "Observation?patient=p-1"
PATH = f"/fhir/{QUERY}"
TOKEN = "the-token-of-this-call"


@pytest.fixture
def server() -> Iterator[FhirServer]:
    with a_fhir_server() as server:
        yield server


@pytest.fixture
def client() -> Iterator[FhirClient]:
    client = FhirClient(deadline_s=DEADLINE_S)
    yield client
    client.close()


def access_to(server: FhirServer) -> FhirAccess:
    return granted_access(server.base, TOKEN, ServerRule((server.base,), allow_loopback=True))


def a_page(server: FhirServer, ids: list[str], following: str | None = None) -> bytes:
    links = [{"relation": "next", "url": following}] if following else []
    entries = [{"resource": {"resourceType": "Observation", "id": one}} for one in ids]
    return answer(json.dumps({"resourceType": "Bundle", "link": links, "entry": entries}).encode())


def read_one(client: FhirClient, server: FhirServer) -> bytes | FetchFailed:
    return client.read(access_to(server), {"observations": QUERY})["observations"]


def ids_of(found: bytes | FetchFailed) -> list[str]:
    assert isinstance(found, bytes)
    return [entry["resource"]["id"] for entry in json.loads(found)["entry"]]


def test_a_query_is_sent_with_the_token_and_its_answer_returned(client: FhirClient, server: FhirServer) -> None:
    server.answers[PATH] = answer(b'{"resourceType":"Patient"}')

    found = read_one(client, server)

    assert found == b'{"resourceType":"Patient"}'
    assert f"authorization: bearer {TOKEN}" in server.requests[0].lower()
    assert f"host: 127.0.0.1:{server.port}" in server.requests[0].lower()


def test_queries_are_answered_each_for_itself(client: FhirClient, server: FhirServer) -> None:
    server.answers["/fhir/Patient/p-1"] = answer(b'{"resourceType":"Patient"}')

    found = client.read(access_to(server), {"patient": "Patient/p-1", "conditions": "Condition?patient=p-1"})

    assert found == {"patient": b'{"resourceType":"Patient"}', "conditions": FetchFailed("answered 404")}


def test_further_pages_of_the_same_server_are_joined(client: FhirClient, server: FhirServer) -> None:
    server.answers[PATH] = a_page(server, ["1", "2"], f"{server.base}?page=2")
    server.answers["/fhir?page=2"] = a_page(server, ["3"])

    assert ids_of(read_one(client, server)) == ["1", "2", "3"]


def test_pages_without_end_are_read_to_a_limit_and_said_to_go_on(client: FhirClient, server: FhirServer) -> None:
    server.answers[PATH] = a_page(server, ["1"], f"{server.base}?page=2")
    server.answers["/fhir?page=2"] = a_page(server, ["2"], f"{server.base}?page=2")

    found = read_one(client, server)

    assert len(ids_of(found)) == client_module.PAGES_LIMIT
    assert json.loads(found)["link"][0]["relation"] == "next"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://127.0.0.2/fhir?page=2",
        "//127.0.0.2/fhir",
        "?page=2",
        "{base}.evil/x",
        "{base}@evil/x",
        "{base}/../admin",
    ],
)
def test_threat_44_a_page_elsewhere_is_not_followed(client: FhirClient, server: FhirServer, elsewhere: str) -> None:
    server.answers[PATH] = a_page(server, ["1"], elsewhere.replace("{base}", server.base))

    found = read_one(client, server)

    assert ids_of(found) == ["1"]
    assert len(server.requests) == 1


def test_threat_44_a_redirect_is_not_followed_and_the_token_stays(client: FhirClient, server: FhirServer) -> None:
    with a_fhir_server() as other:
        server.answers[PATH] = answer(b"", status="302 Found", more=(f"Location: {other.base}/{QUERY}",))

        assert read_one(client, server) == FetchFailed("answered 302")
        assert other.requests == []


# One address of this machine, and of others nobody meant, as requests have spelled them elsewhere (OWASP, SSRF).
SPELLINGS = [
    "http://127.0.0.1:8080/fhir",
    "http://localhost/fhir",
    "http://LOCALHOST/fhir",
    "http://127.1/fhir",
    "http://0x7f000001/fhir",
    "http://2130706433/fhir",
    "http://017700000001/fhir",
    "http://0/fhir",
    "http://0.0.0.0/fhir",
    "http://[::1]/fhir",
    "http://[::]/fhir",
    "http://[::ffff:127.0.0.1]/fhir",
    "http://[0:0:0:0:0:0:0:1]/fhir",
    "http://127.0.0.1.nip.io/fhir",
    "http://169.254.169.254/latest/meta-data",
    "http://[fe80::1%25eth0]/fhir",
    "https://ehr.example@127.0.0.1/fhir",
    "https://ehr.example:443@evil.example/fhir",
    "https://ehr.example.evil.example/fhir",
    "https://ehr.example/fhir/../admin",
    "https://ehr.example/fhir?x=1",
    "https://ehr.example/fhir#x",
    "https://ehr.example/FHIR",
    "https://EHR.example/fhir",
    "https://ehr.example:443/fhir",
    "https://ehr.example/fhir//",
    "http://ehr.example/fhir",
    "file:///etc/passwd",
    "gopher://ehr.example/fhir",
    "ftp://ehr.example/fhir",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_threat_43_only_the_exact_address_is_a_clients_server(spelling: str) -> None:
    with pytest.raises(DataRequired):
        granted_access(spelling, TOKEN, ServerRule(("https://ehr.example/fhir",)))


def test_one_slash_at_the_end_is_the_same_server() -> None:
    rule = ServerRule(("https://ehr.example/fhir/",))

    assert granted_access("https://ehr.example/fhir", TOKEN, rule).base == "https://ehr.example/fhir"


@pytest.mark.parametrize("base", ["http://ehr.example/fhir", "http://10.0.0.1/fhir", "https://a:b@ehr.example/fhir"])
def test_threat_43_a_configured_server_must_be_https(base: str) -> None:
    with pytest.raises(DataRequired):
        granted_access(base, TOKEN, ServerRule((base,), allow_loopback=True))


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.1.2.3", True),
        ("10.2.2.3", False),
        ("192.168.1.1", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("::127.0.0.1", False),
        ("64:ff9b::127.0.0.1", False),
        ("64:ff9b::169.254.169.254", False),
        ("64:ff9b::10.1.2.3", True),
        ("64:ff9b::93.184.216.34", True),
        ("2002:7f00:1::", False),
        ("2002:a02:203::1", False),
        ("169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("100.64.0.1", False),
    ],
)
def test_threat_45_an_address_is_public_or_configured(address: str, allowed: bool) -> None:
    assert may_connect(address, ServerRule(networks=(ip_network("10.1.0.0/16"),))) is allowed


def test_threat_45_a_name_that_leads_to_this_machine_is_not_called(
    client: FhirClient, server: FhirServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rebound(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    base = f"https://ehr.example:{server.port}/fhir"
    access = granted_access(base, TOKEN, ServerRule((base,)))

    found = client.read(access, {"patient": "Patient/p-1"})

    assert found == {"patient": FetchFailed("its name leads to an address that is not allowed")}
    assert server.requests == []


def slow(connection: socket.socket, ending: Event) -> None:
    ending.wait(5)


def dripping(connection: socket.socket, ending: Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nX-Slow: ")
    while not ending.wait(0.05):
        connection.sendall(b"x")


def endless(connection: socket.socket, ending: Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n\r\n")
    while not ending.is_set():
        connection.sendall(b" " * 65536)


def cut(connection: socket.socket, ending: Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: 50\r\n\r\n{")


BAD_SERVERS: dict[str, tuple[Any, str]] = {
    "slow": (slow, "no answer in time"),
    "dripping": (dripping, "no answer in time"),
    "endless": (endless, "too much"),
    "cut": (cut, "no answer"),
    "no HTTP": (b"hello\r\n\r\n", "no answer"),
    "bomb": (answer(gzip.compress(bytes(10_000_000)), more=("Content-Encoding: gzip",)), "compressed"),
    "large": (answer(b" " * (BYTES_LIMIT + 1)), "too much"),
    "html": (answer(b"<html>", media="text/html"), "something else"),
    "not JSON": (answer(b"{"), "something else"),
    "deep": (answer(b'{"link":' + b"[" * 100_000), "something else"),
    "401": (answer(b"{}", status="401 Unauthorized"), "answered 401"),
    "429": (answer(b"{}", status="429 Too Many Requests"), "answered 429"),
    "500": (answer(b"{}", status="500 Internal Server Error"), "answered 500"),
}


@pytest.mark.parametrize(("reply", "reason"), BAD_SERVERS.values(), ids=BAD_SERVERS)
def test_threat_46_a_bad_server_costs_no_more_than_the_deadline(
    client: FhirClient, server: FhirServer, reply: Any, reason: str
) -> None:
    server.answers[PATH] = reply
    start = monotonic()

    found = read_one(client, server)

    assert isinstance(found, FetchFailed)
    assert reason in found.reason
    assert monotonic() - start < DEADLINE_S + 0.5


def test_threat_46_a_server_that_is_not_there_is_said(client: FhirClient) -> None:
    base = "http://127.0.0.1:1/fhir"

    found = client.read(granted_access(base, None, ServerRule((base,), allow_loopback=True)), {"patient": "Patient/1"})

    assert found == {"patient": FetchFailed("no answer: ConnectError")}


def test_threat_46_slow_servers_leave_threads_to_others(client: FhirClient, server: FhirServer) -> None:
    server.answers[PATH] = slow

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(read_one, client, server) for _ in range(8)]
    refused = [call for call in calls if isinstance(call.exception(), Unavailable)]

    assert len(refused) == 8 - client_module.CALLS_LIMIT


def test_threat_47_the_token_is_in_no_text(server: FhirServer) -> None:
    access = access_to(server)

    assert TOKEN not in f"{access!r} {access}"
