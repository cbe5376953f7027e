"""MLLP framing: whatever the cuts, the same messages; whatever the bytes, a named fault and nothing raised."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.hl7.framing import Broken, Deframer, Fault, framed

LIMIT = 20

# Streams made of what matters to framing: marks, line ends, and bytes that are neither.
STREAMS = st.lists(
    st.sampled_from([b"\x0b", b"\x1c", b"\x1c\r", b"\r", b"\n", b"MSH|", b"a", b"\x00", b"\xff", b"0123456789"]),
    max_size=60,
).map(b"".join) | st.binary(max_size=120)


def events(*pieces: bytes, limit: int = LIMIT) -> list[bytes | Broken]:
    deframer = Deframer(limit)
    return [*(event for piece in pieces for event in deframer.feed(piece)), *deframer.close()]


def faults(found: list[bytes | Broken]) -> list[Fault]:
    return [event.fault for event in found if isinstance(event, Broken)]


A, B = b"MSH|a", b"MSH|b"

CASES = [
    pytest.param(framed(A), [A], id="one"),
    pytest.param(framed(A) + framed(B), [A, B], id="two in one piece"),
    pytest.param(b"\x0bMSH|a\x1c\x0bMSH|b\x1c", [A, B], id="without carriage return"),
    pytest.param(framed(A) + b"\n\r\n" + framed(B), [A, B], id="line ends between"),
    pytest.param(b"junk" + framed(A), [Broken(Fault.STRAY), A], id="bytes before"),
    pytest.param(
        framed(A) + b"x\x1cy" + framed(B) + b"z", [A, Broken(Fault.STRAY), B, Broken(Fault.STRAY)], id="between"
    ),
    pytest.param(b"\x0bMSH|cut" + framed(B), [Broken(Fault.CUT_OFF, b"MSH|cut"), B], id="start in a frame"),
    pytest.param(b"\x0b\x0bMSH|b\x1c", [Broken(Fault.EMPTY), B], id="start twice"),
    pytest.param(framed(b"") + framed(b"\r\n") + framed(B), [Broken(Fault.EMPTY)] * 2 + [B], id="empty"),
    pytest.param(b"\x0bMSH|a", [Broken(Fault.UNFINISHED, A)], id="never ends"),
    pytest.param(b"\x0b", [], id="start alone"),
    pytest.param(framed(b"x" * LIMIT), [b"x" * LIMIT], id="as large as may be"),
    pytest.param(framed(b"x" * 21) + framed(A), [Broken(Fault.TOO_LARGE, b"x" * LIMIT)], id="too large"),
    pytest.param(b"x" * 21 + framed(A), [Broken(Fault.STRAY), Broken(Fault.NO_START)], id="no start"),
    pytest.param(b"\r" * 21 + framed(A), [Broken(Fault.NO_START)], id="line ends without end"),
    pytest.param(b"\x1c" * 22, [Broken(Fault.STRAY), Broken(Fault.NO_START)], id="ends without start"),
    pytest.param(framed(b"a\x00\xff\r\nb"), [b"a\x00\xff\r\nb"], id="any other byte"),
]


@pytest.mark.parametrize(("stream", "expected"), CASES)
def test_a_stream_gives_its_messages_and_faults_in_order(stream: bytes, expected: list[bytes | Broken]) -> None:
    assert events(stream) == expected


@pytest.mark.parametrize(("stream", "expected"), CASES)
def test_byte_by_byte_it_gives_the_same(stream: bytes, expected: list[bytes | Broken]) -> None:
    assert events(*(bytes([byte]) for byte in stream)) == expected


@given(STREAMS, st.data())
def test_the_cuts_change_nothing(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))

    pieces = [stream[start:stop] for start, stop in pairwise([0, *cuts, len(stream)])]

    assert events(*pieces) == events(stream)


@given(st.lists(st.binary(min_size=1, max_size=LIMIT).filter(lambda m: not set(m) & set(b"\x0b\x1c") and m.strip())))
def test_what_was_framed_comes_out(messages: list[bytes]) -> None:
    assert events(b"".join(framed(message) for message in messages)) == messages


@given(STREAMS)
def test_nothing_is_longer_than_the_limit_and_nothing_follows_a_fatal_fault(stream: bytes) -> None:
    found = events(stream)

    contents = [event.content if isinstance(event, Broken) else event for event in found]
    fatal = [isinstance(event, Broken) and event.is_fatal for event in found]
    assert all(len(content) <= LIMIT for content in contents)
    assert not any(fatal[:-1])


@given(STREAMS)
def test_a_whole_message_after_line_ends_is_never_lost(stream: bytes) -> None:
    """Whatever came before: unless that was fatal, the next whole frame is read."""
    found = events(stream + b"\x1c" + framed(A), limit=10_000)

    assert found[-1] == A


HOSTILE = [
    pytest.param(b"\x0b" * 200_000, id="starts"),
    pytest.param(b"\x1c" * 200_000, id="ends"),
    pytest.param(b"\x0ba\x1c" * 70_000, id="tiny frames"),
    pytest.param(b"\x0b" + b"a" * 200_000, id="one long frame"),
    pytest.param(b"\x0b" + b"\r" * 200_000 + b"\x1c", id="a long empty frame"),
]


@pytest.mark.parametrize("stream", HOSTILE)
def test_four_times_the_bytes_take_about_four_times_the_time(stream: bytes) -> None:
    def seconds(part: bytes) -> float:
        deframer = Deframer(1 << 30)
        begun = time.process_time()
        for start in range(0, len(part), 4096):
            list(deframer.feed(part[start : start + 4096]))
        return time.process_time() - begun

    quarter = min(seconds(stream[: len(stream) // 4]) for _ in range(3))

    assert seconds(stream) < 12 * max(quarter, 0.005)  # work that grows with the square would take sixteen times


def test_a_message_in_pieces_of_one_byte_is_linear_too() -> None:
    message = b"x" * 500_000
    deframer = Deframer(1 << 20)
    begun = time.process_time()

    found = [event for byte in framed(message) for event in deframer.feed(bytes([byte]))]

    assert found == [message]
    assert time.process_time() - begun < 5.0  # quadratic work would be 125 billion steps


def test_whether_a_frame_is_open_is_known() -> None:
    deframer = Deframer(LIMIT)

    states = []
    for piece in (b"\r", b"\x0b", b"MSH", b"\x1c", b"\r"):
        list(deframer.feed(piece))
        states.append(deframer.in_frame)

    assert states == [False, True, True, False, False]
