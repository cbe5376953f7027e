"""THREATS.md G 67: a sender that is slow, stuck, idle or gone costs the others nothing, and is let go of."""

import json
import socket
import struct
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from cds_service import logs
from cds_service.hl7.framing import framed
from tests.mllp.conversing import PATIENCE_S, Listening, Ward, answer_to, counted, limits, listening, wait_until

MANY = limits(peer_connections=240)


def ended(reason: str) -> float:
    return counted("cds_mllp_closed_connections_total", reason=reason)


def refused(reason: str) -> float:
    return counted("cds_mllp_refused_connections_total", reason=reason)


def test_g67_two_hundred_half_sent_frames_hold_up_nobody(tmp_path: Path, ward: Ward) -> None:
    with listening(tmp_path, ward, MANY) as mllp, ExitStack() as held:
        for _ in range(200):
            held.enter_context(mllp.sender()).send(b"\x0bMSH|half")
        wait_until(lambda: counted("cds_mllp_connections") >= 200)
        with mllp.sender() as good:
            begun = time.monotonic()
            answers = [good.ask(b"message %d" % number) for number in range(50)]
            taken = time.monotonic() - begun

    assert answers == [answer_to(b"message %d" % number) for number in range(50)]
    assert taken < 2.0  # alone it takes about 0.03 s


def test_g67_senders_that_reset_leave_nothing_behind(mllp: Listening) -> None:
    before = counted("cds_mllp_connections")
    for _ in range(50):
        with mllp.sender() as sender:
            sender.send(framed(b"one") * 20 + b"\x0bhalf")
            sender.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    wait_until(lambda: answers(mllp))
    wait_until(lambda: counted("cds_mllp_connections") == before)


def test_g67_an_idle_sender_is_let_go_of(tmp_path: Path, ward: Ward) -> None:
    before = ended("idle")

    with listening(tmp_path, ward, limits(idle_s=0.2)) as mllp, mllp.sender() as sender:
        assert sender.ask(b"one") == answer_to(b"one")
        closed = sender.is_closed()

    assert closed
    assert ended("idle") == before + 1


@pytest.mark.parametrize("drip", [b"x", b"\r", b"\x0b\x1c"], ids=["junk", "line ends", "empty frames"])
def test_g67_what_is_no_message_keeps_no_connection_alive(tmp_path: Path, ward: Ward, drip: bytes) -> None:
    with listening(tmp_path, ward, limits(idle_s=0.3)) as mllp, mllp.sender() as sender:
        assert drips_until_closed(sender.socket, drip) < 3.0


@pytest.mark.parametrize("drip", [b"x", b"\x0bx"], ids=["one byte at a time", "frames begun again and again"])
def test_g67_a_frame_that_takes_too_long_ends_its_connection(tmp_path: Path, ward: Ward, drip: bytes) -> None:
    before = ended("slow")

    with listening(tmp_path, ward, limits(frame_s=0.3)) as mllp, mllp.sender() as sender:
        sender.send(b"\x0bMSH|")
        seconds = drips_until_closed(sender.socket, drip)

    assert seconds < 3.0
    assert ended("slow") == before + 1
    assert ward.taken == []


def drips_until_closed(connection: socket.socket, drip: bytes) -> float:
    """Seconds until the listener closed on a sender that sends so little every 20 ms."""
    begun = time.monotonic()
    connection.settimeout(0.02)
    while time.monotonic() - begun < PATIENCE_S:
        try:
            connection.sendall(drip)
            if connection.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    return time.monotonic() - begun


def test_g67_a_sender_that_never_reads_its_answers_is_let_go_of(tmp_path: Path, ward: Ward) -> None:
    before = ended("answers_not_read")
    large = framed(b"x" * 60_000)

    with listening(tmp_path, ward, limits(answer_s=0.3)) as mllp, mllp.sender() as deaf, mllp.sender() as good:
        deaf.socket.settimeout(0.2)
        for _ in range(1000):
            try:
                deaf.send(large)
            except (TimeoutError, ConnectionError):
                break
            assert good.ask(b"next") == answer_to(b"next")
        wait_until(lambda: ended("answers_not_read") == before + 1)


def test_g67_a_sender_has_so_many_connections_and_others_are_let_in(tmp_path: Path, ward: Ward) -> None:
    before = refused("too_many_of_address")

    with listening(tmp_path, ward, limits(peer_connections=3)) as mllp, ExitStack() as held:
        greedy = [held.enter_context(mllp.sender()) for _ in range(3)]
        assert [sender.ask(b"a") for sender in greedy] == [answer_to(b"a")] * 3
        fourth = held.enter_context(mllp.sender()).is_closed()
        greedy[0].socket.close()
        wait_until(lambda: ended("left") > 0)

        wait_until(lambda: answers(mllp))

    assert fourth
    assert refused("too_many_of_address") >= before + 1


def answers(mllp: Listening) -> bool:
    """Whether a new connection is let in."""
    with mllp.sender() as sender:
        try:
            return sender.ask(b"next") == answer_to(b"next")
        except ConnectionError:
            return False


PEERS = """
[mllp.peer.north]
address = "127.0.0.0/30"
tenant = "north"
[mllp.peer.south]
address = "127.0.0.9"
tenant = "south"
"""


def test_g67_the_limit_of_one_sender_is_not_that_of_another(tmp_path: Path, ward: Ward) -> None:
    clients = PEERS + limits(peer_connections=2)
    before = refused("too_many_of_sender")

    with (
        listening(tmp_path, ward, clients, CDS_CLIENT_AUTH="required") as mllp,
        mllp.sender("127.0.0.1") as first,
        mllp.sender("127.0.0.2") as second,
    ):
        assert [first.ask(b"a"), second.ask(b"b")] == [answer_to(b"a"), answer_to(b"b")]
        with mllp.sender("127.0.0.3") as third:
            assert third.is_closed()
        with mllp.sender("127.0.0.9") as other:
            assert other.ask(b"c") == answer_to(b"c")

    assert refused("too_many_of_sender") == before + 1


def test_all_connections_together_have_a_limit(tmp_path: Path, ward: Ward) -> None:
    with listening(tmp_path, ward, limits(connections=2)) as mllp, mllp.sender() as first, mllp.sender() as second:
        assert [first.ask(b"a"), second.ask(b"b")] == [answer_to(b"a"), answer_to(b"b")]
        with mllp.sender() as third:
            assert third.is_closed()
        assert first.ask(b"c") == answer_to(b"c")


def test_messages_that_are_stuck_hold_up_no_other_sender(tmp_path: Path, ward: Ward) -> None:
    """One sender with every connection it may have, each with messages the database does not take."""
    clients = PEERS + limits(peer_connections=5)

    with listening(tmp_path, ward, clients, CDS_CLIENT_AUTH="required") as mllp, ExitStack() as held:
        stuck = [held.enter_context(mllp.sender("127.0.0.1")) for _ in range(5)]
        for sender in stuck:
            sender.send(framed(b"HOLD") * 20)
        wait_until(lambda: len(ward.taken) == 5)
        with mllp.sender("127.0.0.9") as good:
            begun = time.monotonic()
            answers = [good.ask(b"message") for _ in range(20)]
            taken = time.monotonic() - begun
        while_stuck = ward.messages.count(b"HOLD")
        ward.hold.set()
        freed = [sender.answer() for sender in stuck for _ in range(20)]

    assert answers == [answer_to(b"message")] * 20
    assert taken < 2.0  # alone it takes about 0.02 s
    assert while_stuck == 5  # one of each connection, whatever more it had sent
    assert freed == [answer_to(b"HOLD")] * 100


def test_while_a_message_is_handled_nothing_more_is_read_from_its_sender(mllp: Listening, ward: Ward) -> None:
    with mllp.sender() as sender:
        sender.send(framed(b"HOLD"))
        wait_until(lambda: ward.messages == [b"HOLD"])
        sender.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            sender.send(framed(b"x" * 60_000) * 1000)  # 60 MB: what is not read stays with the sender


def test_a_fault_with_every_message_is_a_habit_and_no_flood(mllp: Listening, ward: Ward) -> None:
    with mllp.sender() as sender:
        sender.send((framed(b"one") + b"\x00") * 150)

        assert [sender.answer() for _ in range(150)] == [answer_to(b"one")] * 150


@pytest.mark.parametrize("failure", [b"FAIL", b"FAIL-STOP", b"FAIL-EXIT"])
def test_a_handler_that_fails_ends_that_connection_and_no_other(
    tmp_path: Path, mllp: Listening, failure: bytes
) -> None:
    path = tmp_path / "log.jsonl"
    logs.configure(path)
    before = counted("cds_mllp_messages_total", outcome="failed")

    with mllp.sender() as other, mllp.sender() as sender:
        other.ask(b"before")
        sender.send(framed(b"one") + framed(failure) + framed(b"three"))
        answered = sender.answer()
        closed = sender.is_closed()
        after = other.ask(b"after")
    wait_until(lambda: "mllp_connection_ended" in path.read_text())
    logs.configure(None)

    assert (answered, closed, after) == (answer_to(b"one"), True, answer_to(b"after"))
    assert counted("cds_mllp_messages_total", outcome="failed") == before + 1
    events = [json.loads(line)["event"] for line in path.read_text().splitlines()]
    assert events[:2] == ["mllp_handler_failed", "mllp_connection_ended"]
    assert "Jane" not in path.read_text()


def test_without_file_descriptors_the_listener_waits_and_goes_on(
    tmp_path: Path, ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(tmp_path, ward) as mllp:
        accept, failures = mllp.listener._loop.sock_accept, iter([OSError(24, "Too many open files")] * 3)

        async def fail_first(listener: socket.socket) -> object:
            for failure in failures:
                raise failure
            return await accept(listener)

        monkeypatch.setattr(mllp.listener._loop, "sock_accept", fail_first)
        with mllp.sender() as first, mllp.sender() as second:
            found = [first.ask(b"a"), second.ask(b"b")]
        assert mllp.listener.healthy()

    assert found == [answer_to(b"a"), answer_to(b"b")]


def test_g68_a_sender_nobody_named_is_closed_on_without_an_answer(tmp_path: Path, ward: Ward) -> None:
    path = tmp_path / "log.jsonl"
    logs.configure(path)

    with listening(tmp_path, ward, PEERS, CDS_CLIENT_AUTH="required") as mllp:
        closed = []
        for _ in range(5):
            with mllp.sender("127.0.0.77") as stranger:
                stranger.send(framed(b"MSH|"))
                closed.append(stranger.is_closed())
    logs.configure(None)

    assert closed == [True] * 5
    assert ward.taken == []
    events = [json.loads(line) for line in path.read_text().splitlines()]
    said = [event for event in events if event["event"] == "mllp_connection_refused"]
    assert [(event["reason"], event["address"]) for event in said] == [("unknown_sender", "127.0.0.77")]


def test_g68_each_sender_has_the_tenant_of_the_file(tmp_path: Path, ward: Ward) -> None:
    with listening(tmp_path, ward, PEERS, CDS_CLIENT_AUTH="required") as mllp:
        for source in ("127.0.0.1", "127.0.0.9"):
            with mllp.sender(source) as sender:
                sender.ask(b"message")

    assert [(actor.name, actor.tenant) for _, actor in ward.taken] == [("north", "north"), ("south", "south")]
