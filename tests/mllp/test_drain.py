"""How the listener ends: what it took is answered, what it did not read is left to be sent again."""

import time
from pathlib import Path
from threading import Thread

import pytest

from cds_service.errors import ConfigurationError
from cds_service.hl7.framing import framed
from cds_service.mllp.connection import Receiver
from cds_service.mllp.listener import MllpListener
from cds_service.settings import Settings
from tests.conftest import environment
from tests.mllp.conversing import Listening, Ward, answer_to, listening, wait_until


def test_a_message_in_flight_is_answered_and_then_all_is_closed(mllp: Listening, ward: Ward) -> None:
    complete: list[bool] = []

    with mllp.sender() as busy, mllp.sender() as idle, mllp.sender() as half:
        idle.ask(b"one")
        half.send(b"\x0bhalf")
        busy.send(framed(b"HOLD") + framed(b"read with it"))
        wait_until(lambda: b"HOLD" in ward.messages)
        ending = Thread(target=lambda: complete.append(mllp.listener.drain()))
        ending.start()
        assert (idle.is_closed(), half.is_closed()) == (True, True)
        ward.hold.set()
        answers = [busy.answer(), busy.answer()]
        assert busy.is_closed()
        ending.join()

    assert answers == [answer_to(b"HOLD"), answer_to(b"read with it")]
    assert complete == [True]
    assert not mllp.listener.healthy()


def test_once_ending_nobody_is_let_in(mllp: Listening) -> None:
    assert mllp.listener.drain()

    with pytest.raises(ConnectionRefusedError):
        mllp.sender()


def test_a_message_that_is_stuck_holds_up_the_end_until_the_deadline_only(mllp: Listening, ward: Ward) -> None:
    with mllp.sender() as stuck:
        stuck.send(framed(b"HOLD"))
        wait_until(lambda: ward.messages == [b"HOLD"])
        begun = time.monotonic()
        complete = mllp.listener.drain(0.2)
        seconds = time.monotonic() - begun
        assert stuck.is_closed()

    assert not complete
    assert seconds < 3.0


def test_a_sender_that_does_not_stop_sending_does_not_hold_up_the_end(mllp: Listening) -> None:
    with mllp.sender() as sender:

        def send_on() -> None:
            try:
                while True:
                    sender.send(framed(b"on and on") * 50)
            except OSError:
                return

        sending = Thread(target=send_on)
        sending.start()
        sender.answer()
        complete = mllp.listener.drain(5.0)
        sender.socket.close()
        sending.join()

    assert complete


def test_an_address_in_use_stops_the_start(tmp_path: Path, ward: Ward) -> None:
    with listening(tmp_path, ward) as mllp:
        variables = environment(tmp_path, CDS_MLLP_BIND=f"127.0.0.1:{mllp.port}")
        second = MllpListener(Settings.from_environment(variables), Receiver(ward.handle, ward.refuse))

        with pytest.raises(ConfigurationError, match="CDS_MLLP_BIND: cannot listen: Address already in use"):
            second.start()


def test_without_an_address_there_is_no_listener(tmp_path: Path, ward: Ward) -> None:
    with pytest.raises(ConfigurationError, match="CDS_MLLP_BIND: say where to listen"):
        MllpListener(Settings.from_environment(environment(tmp_path)), Receiver(ward.handle, ward.refuse))
