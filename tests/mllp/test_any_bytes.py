"""Whatever bytes come, they get an acknowledgment or a close, and the next good message is acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.processes import free_port
from cds_service.domain.codes import CodeTables
from cds_service.hl7.framing import framed
from cds_service.inference.predictor import Predictor
from cds_service.mllp.listener import MllpListener
from cds_service.mllp.receiving import receiver
from tests.conftest import REPOSITORY, started
from tests.mllp.conversing import PATIENCE_S, Listening

TWINS = [path.read_bytes() for path in sorted((REPOSITORY / "fixtures" / "twins").glob("*/message.hl7"))]
GOOD = TWINS[0]
PIECES = [
    b"\x0b",
    b"\x1c",
    b"\r",
    b"\n",
    b"|",
    b"^",
    b"~",
    b"\\",
    b"&",
    b"MSH",
    b"MSH|^~\\&|",
    b"OBX|1|NM|",
    b'""',
    b"\x00",
]


@pytest.fixture(scope="module")
def mllp(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, predictor: Predictor, tables: CodeTables
) -> Iterator[Listening]:
    """One service for all examples: a failure that only comes after others counts too."""
    directory, port = tmp_path_factory.mktemp("any"), free_port()
    with started(directory, empty_database, predictor, tables, CDS_MLLP_BIND=f"127.0.0.1:{port}") as service:
        listener = MllpListener(service.runtime.settings, receiver(service.runtime))
        listener.start()
        yield Listening(listener, port)
        listener.drain(PATIENCE_S)
    written = (directory / "log.jsonl").read_text()
    assert "mllp_handler_failed" not in written
    assert "Traceback" not in written


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real message with pieces cut out, put in, or changed."""
    message = draw(st.sampled_from(TWINS))
    for _ in range(draw(st.integers(1, 6))):
        at, length = draw(st.integers(0, len(message))), draw(st.integers(0, 40))
        put_in = draw(st.sampled_from(PIECES) | st.binary(max_size=12))
        message = message[:at] + put_in + message[at + length :]
    return message


@settings(max_examples=250, suppress_health_check=list(HealthCheck))
@given(content=mutated() | st.binary(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join))
def test_61_any_bytes_are_answered_or_closed_and_the_next_message_is_acknowledged(
    mllp: Listening, content: bytes
) -> None:
    with mllp.sender() as sender:
        sender.send(framed(content) + framed(GOOD))
        answers = []
        try:
            while not answers or not (b"MSA|AA|" in answers[-1] or b"MSA|CA|" in answers[-1]):
                answers.append(sender.answer())
        except ConnectionError:
            pass  # closed: allowed, and the next connection is answered

    with mllp.sender() as sender:
        good = sender.ask(GOOD)

    assert b"MSA|AA|" in good or b"MSA|CA|" in good
    assert all(b"\rMSA|" in answer or b"\rMSA" in answer for answer in answers)
