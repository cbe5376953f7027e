"""THREATS.md A: what is thrown at the hook endpoint, number by number, against `cds serve` over real sockets."""

from __future__ import annotations

import gzip
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from bench.bodies import hook_requests
from bench.client import Connection, post, run
from bench.processes import memory_mib
from cds_service.fhir.conformance import explain
from tests.conftest import ORIGIN, PUBLIC_URL, Live, live_service
from tests.web.raw_http import Served, read_answer, status

PATH = "/cds-services/vitals-risk"
GOOD = b'{"hook":"patient-view"}'


def call(live: Live, request: bytes) -> tuple[int, bytes]:
    with closing(Connection(live.port)) as connection:
        return connection.call(request)


def raw(live: Live, request: bytes) -> bytes:
    return Served(live.process, live.port).send(request)


def refusal(live: Live, body: bytes, **headers: str) -> tuple[int, str]:
    """Status and text of a refusal of this body, which must be a valid OperationOutcome and repeat nothing."""
    code, answer = call(live, post(PATH, body, {name.replace("_", "-"): value for name, value in headers.items()}))
    assert explain(answer) == []
    assert b"Ferrer" not in answer
    assert b"<script" not in answer
    return code, answer.decode()


def alive(live: Live) -> bool:
    """Whether the service still answers a hook, not only its health."""
    [request] = hook_requests(1, first=int(time.monotonic_ns() % 2**31))
    return call(live, request)[0] == 200


def wait_for_the_knowledge_base(live: Live) -> None:
    """Until the one part that is loaded beside the first requests is there."""
    deadline = time.monotonic() + 30
    request = b"GET /rare-diseases/findings HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    while status(raw(live, request)) != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


NOT_ONE_DOCUMENT = {
    "not JSON": b"hello Ferrer",
    "truncated": b'{"hook": "patient-view", "prefetch": {"patient": {"name": "Ferrer"',
    "two documents": b"{} {}",
    "empty": b"",
    "a comment": b'{"a": 1} // Ferrer',
    "a trailing comma": b'{"a": 1,}',
}


@pytest.mark.parametrize("body", NOT_ONE_DOCUMENT.values(), ids=NOT_ONE_DOCUMENT)
def test_a01_what_is_not_one_json_document_is_400_with_its_place(live: Live, body: bytes) -> None:
    code, answer = refusal(live, body)

    assert code == 400
    assert json.loads(answer)["issue"][0]["code"] == "structure"
    assert "line" in answer or "column" in answer or "byte" in answer or "position" in answer or "empty" in answer


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400, "9" * 5000, "0x1F", "01"])
def test_a02_numbers_json_does_not_have_are_400(live: Live, number: str) -> None:
    assert refusal(live, b'{"hook": "patient-view", "context": {"n": %s}}' % number.encode())[0] == 400


@pytest.mark.parametrize(
    "body", [b'{"hook": 1, "hook": 2}', b'{"a": {"b": 1, "\\u0062": 2}}', b'{"<script>": 1, "<script>": 2}']
)
def test_a03_a_member_given_twice_is_400(live: Live, body: bytes) -> None:
    assert refusal(live, body)[0] == 400


@pytest.mark.parametrize("depth", [33, 1_000, 100_000])
def test_a04_deep_nesting_is_400(live: Live, depth: int) -> None:
    for opened, closed in ((b"[", b"]"), (b'{"a":', b"}")):
        assert refusal(live, opened * depth + b"1" + closed * depth)[0] == 400
        assert refusal(live, opened * depth)[0] == 400
    assert alive(live)


def test_a04_bundles_in_bundles_are_400(live: Live) -> None:
    nested = b'{"resourceType":"Bundle","entry":[{"resource":' * 80 + b"null" + b"}]}" * 80

    assert refusal(live, b'{"prefetch": {"observations": %s}}' % nested)[0] == 400


def test_a05_an_oversize_body_is_413_and_memory_stays_flat(live: Live) -> None:
    assert alive(live)
    wait_for_the_knowledge_base(live)
    before = sum(memory_mib(live.process.pid))
    spaces, elements = b" " * 30_000_000, b"[" + b"0," * 3_000_000 + b"0]"
    for body in (spaces, elements):
        answers = [raw(live, post(PATH, body)) for _ in range(3)]
        assert {status(answer) for answer in answers} <= {413, 0}  # 0: closed before the sender was done
        assert status(answers[0]) == 413
    after = sum(memory_mib(live.process.pid))

    assert after - before < 20
    assert alive(live)


def test_a06_a_compressed_body_is_415_and_never_inflated(live: Live) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    before = sum(memory_mib(live.process.pid))

    assert refusal(live, bomb, Content_Encoding="gzip")[0] == 415
    assert refusal(live, GOOD, Content_Encoding="deflate")[0] == 415
    assert sum(memory_mib(live.process.pid)) - before < 20


WRONG_TEXT = {
    "not UTF-8": b'{"hook": "\xff\xfe"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"hook": "patient-view"}'.encode("utf-16"),
    "UTF-16 without mark": '{"hook": "patient-view"}'.encode("utf-16-le"),
    "NUL": b'{"hook": "a\\u0000b"}',
    "raw NUL": b'{"hook": "a\x00b"}',
    "lone surrogate": b'{"hook": "\\ud800"}',
    "surrogate in UTF-8": b'{"hook": "\xed\xa0\x80"}',
}


@pytest.mark.parametrize("body", WRONG_TEXT.values(), ids=WRONG_TEXT)
def test_a07_text_that_is_not_utf_8_or_no_text_is_400(live: Live, body: bytes) -> None:
    assert refusal(live, body)[0] == 400


OTHER_TYPES = {
    "application/xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "application/x-www-form-urlencoded": b"hook=patient-view",
    "multipart/form-data; boundary=x": b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--',
    "text/plain": GOOD,
    "": GOOD,
}


@pytest.mark.parametrize("media", OTHER_TYPES)
def test_a08_another_content_type_is_415(live: Live, media: str) -> None:
    request = post(PATH, OTHER_TYPES[media]).replace(b"application/json", media.encode())
    code, answer = call(live, request)

    assert code == 415
    assert explain(answer) == []
    assert b"root:" not in answer


def test_a08_xml_named_json_is_400(live: Live) -> None:
    assert refusal(live, OTHER_TYPES["application/xml"])[0] == 400


HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
SMUGGLED = b"GET /predictions/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        b"Content-Length: -2\r\n\r\n{}",
        b"Content-Length: +2\r\n\r\n{}",
        b"Content-Length: 2\r\nTransfer-Encoding: xchunked\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        b"X-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
        b"X Spaced : a\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_a09_broken_framing_is_refused_or_closed(live: Live, framing: bytes) -> None:
    assert status(raw(live, HEAD + framing)) in (400, 413, 0)


def test_a09_a_second_request_hidden_in_a_body_is_not_answered(live: Live) -> None:
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as line:
        line.sendall(HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + SMUGGLED)
        answer = b"".join(iter(lambda: line.recv(65536), b""))

    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("half", [b"POST /cds-ser", HEAD + b"X-Slow: ", HEAD + b"Content-Length: 5000\r\n\r\n{"])
def test_a10_slow_senders_do_not_hold_up_others(live: Live, half: bytes) -> None:
    held = [socket.create_connection(("127.0.0.1", live.port), timeout=10) for _ in range(150)]
    try:
        for line in held:
            line.sendall(half)
        begun = time.monotonic()
        result = run(live.port, hook_requests(20, first=int(time.monotonic_ns() % 2**31)), 4)
        assert result.statuses == {200: 20}
        assert time.monotonic() - begun < 5
    finally:
        for line in held:
            line.close()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"POST /cds-services/no-such-service HTTP/1.1", 404),
        (b"POST /cds-services/%2e%2e%2fvitals-risk HTTP/1.1", 404),
        (b"POST /cds-services/vitals-risk%2ffeedback%00 HTTP/1.1", 404),
        (b"POST /cds-services/vitals-risk/other HTTP/1.1", 404),
        (b"GET /cds-services/%3Cscript%3Ealert(1)%3C/script%3E/x HTTP/1.1", 404),
        (b"GET /cds-services/" + b"a" * 6000 + b"/x HTTP/1.1", 404),
        (b"GET /cds-services/vitals-risk HTTP/1.1", 405),
        (b"DELETE /cds-services HTTP/1.1", 405),
        (b"BREW /fhir/$assess HTTP/1.1", 405),
        (b"GET /predictions/1%27%20OR%201=1 HTTP/1.1", 404),
        (b"GET /models/../../etc/passwd HTTP/1.1", 404),
        (b"GET /models/risk/..%2f..%2f/card HTTP/1.1", 404),
        (b"GET /console HTTP/1.1", 404),
    ],
)
def test_a11_an_address_or_method_nobody_serves_is_json(live: Live, line: bytes, expected: int) -> None:
    answer = raw(live, line + b"\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
    head, _, body = answer.partition(b"\r\n\r\n")

    assert status(answer) == expected
    assert b"json" in head.lower()
    assert json.loads(body)
    assert b"script" not in body
    assert (b"\r\nallow: " in head.lower()) is (expected == 405)


def test_a12_links_come_from_the_settings_whatever_the_headers_say(live: Live) -> None:
    spoofed = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher", "Forwarded": "host=evil.example"}
    body = hook_requests(1, first=12)[0].partition(b"\r\n\r\n")[2]
    code, answer = call(live, post(PATH, body, spoofed).replace(b"Host: 127.0.0.1", b"Host: evil.example"))

    assert code == 200
    assert b"evil" not in answer
    assert {link["url"].partition("/base")[0] + "/base" for link in json.loads(answer)["cards"][0]["links"]} == {
        PUBLIC_URL
    }


def test_a13_only_listed_pages_are_let_in_and_never_with_credentials(live: Live) -> None:
    answers = {}
    for origin in (ORIGIN, "https://evil.example", f"{ORIGIN}.evil.example", "null"):
        asked = f"OPTIONS {PATH} HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n"
        with socket.create_connection(("127.0.0.1", live.port), timeout=10) as line:
            line.sendall(asked.encode() + b"Connection: close\r\n\r\n")
            answers[origin] = b"".join(iter(lambda: line.recv(65536), b"")).lower()

    assert b"access-control-allow-origin: " + ORIGIN.encode() in answers.pop(ORIGIN)
    for answer in answers.values():
        assert b"access-control-allow-origin" not in answer
        assert b"credentials" not in answer


@contextmanager
def locked(live: Live) -> Iterator[None]:
    """Somebody else writes to the database and does not end."""
    with closing(sqlite3.connect(live.directory / "cds.db", isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        yield
        blocker.execute("ROLLBACK")


def test_a14_a_flood_is_503_with_retry_after_in_time_and_health_stays_up(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """More callers than threads and queue, while the database is stuck. Limits per client come with who calls."""
    with live_service(tmp_path_factory.mktemp("flood")) as live:
        assert alive(live)
        requests, answers = hook_requests(300, first=5000), []

        def one(request: bytes) -> None:
            begun = time.monotonic()
            answer = raw(live, request)
            answers.append((status(answer), b"retry-after: " in answer.lower(), time.monotonic() - begun))

        callers = [threading.Thread(target=one, args=(request,)) for request in requests]
        with locked(live):
            for caller in callers:
                caller.start()
            health = []
            while any(caller.is_alive() for caller in callers):
                begun = time.monotonic()
                health.append((call(live, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")[0], time.monotonic() - begun))
                time.sleep(0.05)
            assert call(live, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 503

        assert {(code, told) for code, told, _ in answers} == {(503, True)}
        assert max(taken for _, _, taken in answers) < 5
        assert {code for code, _ in health} == {200}
        assert max(taken for _, taken in health) < 1
        deadline = time.monotonic() + 5
        while not alive(live) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert alive(live)


def test_a_request_in_pieces_is_read_as_one(live: Live) -> None:
    [request] = hook_requests(1, first=77)
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as line:
        for start in range(0, len(request), 4000):
            line.sendall(request[start : start + 4000])
            time.sleep(0.01)
        assert status(read_answer(line)) == 200
