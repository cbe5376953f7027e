"""THREATS.md G 61 and 62: every whole frame is answered once and in order, whatever the bytes around it."""

from pathlib import Path

import hl7
import pytest
from hl7.client import MLLPClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cds_service.domain.actor import LOCAL
from cds_service.hl7.framing import Broken, Deframer, Fault, framed
from tests.mllp.conversing import Listening, Ward, answer_to, counted, limits, listening, wait_until

ORU = b"MSH|^~\\&|MON|W7|CDS|H|20260314084000||ORU^R01^ORU_R01|1|P|2.6\rPID|||1\rOBX|1|NM|8867-4^^LN||72|/min\r"


def test_a_message_is_answered_on_its_connection(mllp: Listening, ward: Ward) -> None:
    with mllp.sender() as sender:
        answers = [sender.ask(b"one"), sender.ask(b"two")]

    assert answers == [answer_to(b"one"), answer_to(b"two")]
    assert ward.taken == [(b"one", LOCAL), (b"two", LOCAL)]


def test_g61_messages_sent_at_once_are_answered_in_order(mllp: Listening, ward: Ward) -> None:
    messages = [b"message %d" % number for number in range(300)]

    with mllp.sender() as sender:
        sender.send(b"".join(framed(message) for message in messages))
        answers = [sender.answer() for _ in messages]

    assert answers == [answer_to(message) for message in messages]
    assert ward.messages == messages


def test_g61_a_message_sent_byte_by_byte_is_answered(mllp: Listening) -> None:
    with mllp.sender() as sender:
        for byte in framed(ORU):
            sender.send(bytes([byte]))

        assert sender.answer() == answer_to(ORU)


def test_g61_junk_line_ends_and_missing_carriage_returns_lose_no_message(mllp: Listening, ward: Ward) -> None:
    with mllp.sender() as sender:
        sender.send(b"junk\x0bone\x1c\x0btwo\x1c\r\n\r\n\x0bcut off" + framed(b"three") + framed(b"") + framed(b"four"))
        answers = [sender.answer() for _ in range(4)]

    assert answers == [answer_to(message) for message in (b"one", b"two", b"three", b"four")]
    assert ward.refused == [Broken(Fault.CUT_OFF, b"cut off")]


def test_a_message_that_is_due_no_answer_gets_none_and_the_next_is_answered(mllp: Listening) -> None:
    with mllp.sender() as sender:
        sender.send(framed(b"SILENT") + framed(b"next"))

        assert sender.answer() == answer_to(b"next")


def test_a_message_may_get_two_answers(mllp: Listening) -> None:
    with mllp.sender() as sender:
        sender.send(framed(b"ENHANCED") + framed(b"next"))

        assert [sender.answer() for _ in range(3)] == [b"ACCEPT", b"APPLICATION", answer_to(b"next")]


def test_a_foreign_client_is_answered(mllp: Listening) -> None:
    with MLLPClient("127.0.0.1", mllp.port) as client:
        answers = [client.send_message(hl7.parse(ORU.decode())), client.send_message(ORU)]

    assert answers[1] == framed(answer_to(ORU))
    assert answers[0].startswith(b"\x0bACK|MSH|^~\\&|MON|")


def test_a_sender_that_leaves_in_a_frame_is_told_nothing_and_its_bytes_are_handed_on(
    mllp: Listening, ward: Ward
) -> None:
    with mllp.sender() as sender:
        sender.send(framed(b"whole") + b"\x0bhalf")
        assert sender.answer() == answer_to(b"whole")

    wait_until(lambda: bool(ward.refused))
    assert ward.refused == [Broken(Fault.UNFINISHED, b"half")]


def test_a_sender_that_closes_its_half_still_gets_its_answers(mllp: Listening) -> None:
    with mllp.sender() as sender:
        sender.send(framed(b"one") + framed(b"two"))
        sender.socket.shutdown(1)

        assert [sender.answer(), sender.answer()] == [answer_to(b"one"), answer_to(b"two")]
        assert sender.is_closed()


def test_g62_an_oversize_message_is_refused_and_the_connection_closed(tmp_path: Path, ward: Ward) -> None:
    """Also while most of it is still with the sender, which must not lose the refusal to a reset."""
    with listening(tmp_path, ward, limits(message_bytes=2000)) as mllp, mllp.sender() as sender:
        sender.send(framed(b"x" * 2000) + framed(b"y" * 20_000_000) + framed(b"after"))
        answers = [sender.answer(), sender.answer()]
        closed = sender.is_closed()

    assert answers == [answer_to(b"x" * 2000), b"REFUSED"]
    assert closed
    assert ward.refused == [Broken(Fault.TOO_LARGE, b"y" * 2000)]


@pytest.mark.parametrize(
    ("flood", "fault"),
    [
        pytest.param(b"x" * 3000, Fault.NO_START, id="no start byte"),
        pytest.param(b"\x0b" * 3000, Fault.EMPTY, id="nothing but start bytes"),
        pytest.param(b"\x0bx" * 3000, Fault.CUT_OFF, id="frames that never end"),
    ],
)
def test_g62_a_flood_without_messages_is_closed(tmp_path: Path, ward: Ward, flood: bytes, fault: Fault) -> None:
    before = counted("cds_mllp_faults_total", fault=fault.value)

    with listening(tmp_path, ward, limits(message_bytes=2000)) as mllp, mllp.sender() as sender:
        sender.send(flood)
        closed = sender.is_closed()

    assert closed
    assert ward.taken == []
    assert counted("cds_mllp_faults_total", fault=fault.value) > before


STREAMS = st.lists(st.sampled_from([b"\x0b", b"\x1c", b"\x1c\r", b"\r", b"MSH", b"\xff\x00", framed(b"whole")])).map(
    b"".join
)


@given(STREAMS)
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_answered_as_framed_or_passed_over_and_the_next_sender_is_heard(
    mllp: Listening, stream: bytes
) -> None:
    whole = [event for event in Deframer(1 << 20).feed(stream) if isinstance(event, bytes)]

    with mllp.sender() as sender:
        sender.send(stream)
        sender.socket.shutdown(1)
        answers = [sender.answer() for _ in whole]
        assert sender.is_closed()

    assert answers == [answer_to(message) for message in whole]
