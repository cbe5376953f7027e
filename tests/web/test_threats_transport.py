"""THREATS.md A, numbers 1 to 13, against the modules that stand before the application, over real sockets."""

import json
import resource
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.web.raw_http import HEAD, Served, read_answer, served, status
from tests.web.tiny_app import MAX_BODY_BYTES, ORIGIN, create_app


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as process:
        yield process


def posted(body: bytes, *headers: bytes) -> bytes:
    return HEAD + b"".join(header + b"\r\n" for header in headers) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def is_outcome(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    return b"application/fhir+json" in head and json.loads(body)["resourceType"] == "OperationOutcome"


BAD_BODIES = [
    pytest.param(b'{"a": 1', id="1-truncated"),
    pytest.param(b"{} {}", id="1-two-documents"),
    pytest.param(b'{"a": NaN}', id="2-nan"),
    pytest.param(b'{"a": 1e999}', id="2-overflow"),
    pytest.param(b'{"a": ' + b"9" * 5000 + b"}", id="2-huge-integer"),
    pytest.param(b'{"a": 1, "a": 2}', id="3-duplicate-key"),
    pytest.param(b"[" * 30_000, id="4-nesting"),
    pytest.param(b"[" * 30_000 + b"]" * 30_000, id="4-closed-nesting"),
    pytest.param(b'{"a": "\xff"}', id="7-not-utf-8"),
    pytest.param(b"\xef\xbb\xbf{}", id="7-byte-order-mark"),
    pytest.param('{"a": 1}'.encode("utf-16"), id="7-utf-16"),
    pytest.param(b'{"a": "\\u0000"}', id="7-nul"),
    pytest.param(b'{"a": "\\ud800"}', id="7-lone-surrogate"),
    pytest.param(b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', id="8-xml"),
]


@pytest.mark.parametrize("body", BAD_BODIES)
def test_a_body_that_is_not_strict_json_is_400_with_an_operation_outcome(server: Served, body: bytes) -> None:
    answer = server.send(posted(body))

    assert status(answer) == 400
    assert is_outcome(answer)


def test_5_an_oversize_body_is_413_before_it_is_sent(server: Served) -> None:
    answer = server.send(HEAD + b"Content-Length: 30000000\r\n\r\n")

    assert status(answer) == 413
    assert is_outcome(answer)


def test_5_a_body_that_grows_over_the_limit_in_chunks_is_413(server: Served) -> None:
    chunk = b"2000\r\n" + b" " * 0x2000 + b"\r\n"

    answer = server.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * (MAX_BODY_BYTES // 0x2000 + 1))

    assert status(answer) == 413


def test_6_a_compressed_body_is_415(server: Served) -> None:
    assert status(server.send(posted(b"{}", b"Content-Encoding: gzip"))) == 415


BROKEN_FRAMING = [
    pytest.param(b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", id="two-lengths"),
    pytest.param(b"Content-Length: -1\r\n\r\n{}", id="negative-length"),
    pytest.param(b"Content-Length: 0x2\r\n\r\n{}", id="hexadecimal-length"),
    pytest.param(b"Content-Length: 1" + b"0" * 30 + b"\r\n\r\n{}", id="length-of-31-digits"),
    pytest.param(b"Transfer-Encoding: gzip\r\n\r\n{}", id="unknown-transfer-encoding"),
    pytest.param(b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n", id="bad-chunk-size-after-a-whole-document"),
    pytest.param(b"X-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\n{}", id="folded-header"),
]


@pytest.mark.parametrize("framing", BROKEN_FRAMING)
def test_9_broken_framing_is_400(server: Served, framing: bytes) -> None:
    assert status(server.send(HEAD + framing)) == 400


@pytest.mark.parametrize(
    "framing",
    [
        pytest.param(b"Content-Length: 20\r\n\r\n{}", id="declared-length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", id="chunked"),
    ],
)
def test_9_a_body_that_breaks_off_is_400_not_taken_as_whole(server: Served, framing: bytes) -> None:
    assert status(server.send(HEAD + framing, half_close=True)) == 400


def test_9_length_and_chunks_together_close_the_connection_after_one_answer(server: Served) -> None:
    smuggled = b"2\r\n{}\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    with server.connect() as line:
        line.sendall(HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled)
        answer = b"".join(iter(lambda: line.recv(65536), b""))

    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_whole_chunked_body_is_read(server: Served) -> None:
    with server.connect() as line:
        for piece in (HEAD, b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n", b"1\r\n}\r\n", b"0\r\n\r\n"):
            line.sendall(piece)
            time.sleep(0.02)
        answer = read_answer(line)

    assert answer.endswith(b'{"read":2}\n')


def test_10_a_slow_body_is_408_and_others_are_served_meanwhile() -> None:
    with served(body_deadline_s=1.0) as server, server.connect() as slow:
        slow.sendall(HEAD + b"Content-Length: 20\r\n\r\n{")
        others = [status(server.send(posted(b"{}"))) for _ in range(20)]
        answer = read_answer(slow)

    assert set(others) == {200}
    assert status(answer) == 408
    assert is_outcome(answer)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [b"POST /cds-services/a HT", HEAD + b"Content-Length: 20\r\n\r\n{"])
def test_10_a_thousand_half_sent_requests_stop_nobody(server: Served, sent: bytes) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("this machine does not allow 1,200 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    held: list[socket.socket] = []
    try:
        for _ in range(1000):
            held.append(server.connect())
            held[-1].sendall(sent)

        started = time.monotonic()
        answers = [status(server.send(posted(b"{}"))) for _ in range(100)]

        assert set(answers) == {200}
        assert time.monotonic() - started < 10
    finally:
        for line in held:
            line.close()


def test_82_sigterm_waits_for_nobody_who_sent_half_a_body() -> None:
    with served() as server:
        held = [server.connect() for _ in range(5)]
        for line in held:
            line.sendall(HEAD + b"Content-Length: 20\r\n\r\n{")
        assert status(server.send(posted(b"{}"))) == 200

        server.process.terminate()
        answers = [read_answer(line) for line in held]
        assert server.process.stdout is not None
        assert (server.process.wait(20), server.process.stdout.read()) == (0, b"drained\n")  # else it was killed
        for line in held:
            line.close()

    assert {status(answer) for answer in answers} == {503}
    assert all(b"retry-after: 1" in answer and is_outcome(answer) for answer in answers)


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        pytest.param(b"GET /cds-services/%2e%2e%2f%00%ff/x HTTP/1.1", 404, id="encoded-slashes-nul-and-not-utf-8"),
        pytest.param(b"GET /cds-services/" + b"a" * 6000 + b"/x HTTP/1.1", 404, id="path-of-6-kilobytes"),
        pytest.param(b"DELETE /cds-services/a HTTP/1.1", 405, id="wrong-method"),
        pytest.param(b"BREW /cds-services/a HTTP/1.1", 405, id="unknown-method"),
    ],
)
def test_11_an_address_nobody_serves_is_json(server: Served, request_line: bytes, expected: int) -> None:
    answer = server.send(request_line + b"\r\nHost: x\r\n\r\n")

    assert status(answer) == expected
    assert is_outcome(answer)


def test_12_a_forwarded_host_changes_nothing_that_is_answered(server: Served) -> None:
    answer = server.send(posted(b"{}", b"X-Forwarded-Host: evil.example", b"X_Forwarded_Host: evil.example"))

    assert status(answer) == 200
    assert b"evil" not in answer


def test_13_a_page_of_another_origin_is_not_let_in() -> None:
    client = create_app().test_client()

    ours = client.options("/cds-services/a", headers={"Origin": ORIGIN})
    other = client.options("/cds-services/a", headers={"Origin": "https://evil.example"})

    assert ours.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"Retry-After", "RateLimit-Remaining"} <= set(ours.headers["Access-Control-Expose-Headers"].split(", "))
    assert "Access-Control-Allow-Origin" not in other.headers
    assert "Access-Control-Allow-Credentials" not in ours.headers


def test_headers_over_the_limit_are_refused(server: Served) -> None:
    assert status(server.send(HEAD + b"X-Long: " + b"a" * 200_000 + b"\r\n\r\n")) == 431
    assert status(server.send(HEAD + b"X-Many: a\r\n" * 200 + b"\r\n")) == 431


def test_expect_continue_is_answered_before_the_body(server: Served) -> None:
    answer = server.send(posted(b"{}", b"Expect: 100-continue"))

    assert answer.startswith(b"HTTP/1.1 100 Continue")
    assert answer.endswith(b'{"read":2}\n')


def test_a_failure_nobody_foresaw_is_500_with_an_id_and_without_data(server: Served) -> None:
    answer = server.send(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")

    assert status(answer) == 500
    assert b"Jane" not in answer


def test_82_sigterm_lets_the_request_in_flight_finish_then_drains() -> None:
    with served() as server:
        answers: list[bytes] = []
        asking = threading.Thread(target=lambda: answers.append(server.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")))
        asking.start()
        time.sleep(0.3)
        server.process.terminate()
        output, _ = server.process.communicate(timeout=20)
        asking.join()

    assert status(answers[0]) == 200
    assert output.rstrip().endswith(b"drained")
    assert server.process.returncode == 0


def test_83_workers_end_after_their_parent_was_killed() -> None:
    with served() as server:
        server.process.kill()
        output, _ = server.process.communicate(timeout=20)  # ends only when the worker closed its copy of the pipe

    assert output.rstrip().endswith(b"drained")
