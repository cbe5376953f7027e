"""Messages over MLLP into the service: stored with their prediction in one commit before they are acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.processes import free_port
from cds_service.domain.codes import CodeTables
from cds_service.hl7.framing import framed
from cds_service.inference.predictor import Predictor
from cds_service.mllp.listener import MllpListener
from cds_service.mllp.receiving import receiver
from tests.conftest import REPOSITORY, Clock, Service, started
from tests.databases import Database
from tests.hl7.builders import OBR, PID, PV1, er7, msh, obx
from tests.mllp.conversing import PATIENCE_S, Listening, counted, wait_until

TWIN = (REPOSITORY / "fixtures" / "twins" / "sepsis-from-nursing-home" / "message.hl7").read_bytes()


@pytest.fixture
def ed(
    tmp_path: Path,
    empty_database: Path,
    predictor: Predictor,
    tables: CodeTables,
    clock: Clock,
    each_database: Database,
) -> Iterator[tuple[Service, Listening]]:
    """The service with its listener, on each database."""
    port = free_port()
    own = {**each_database.settings, "CDS_MLLP_BIND": f"127.0.0.1:{port}"}
    with started(tmp_path, empty_database, predictor, tables, **own) as service:
        listener = MllpListener(service.runtime.settings, receiver(service.runtime))
        listener.start()
        yield service, Listening(listener, port)
        listener.drain(PATIENCE_S)


def rows(service: Service, query: str) -> list[tuple[object, ...]]:
    return service.stored.rows(query)


def segments(answer: bytes) -> list[str]:
    return answer.decode().split("\r")


def test_a_message_is_stored_with_its_prediction_and_then_acknowledged(ed: tuple[Service, Listening]) -> None:
    service, mllp = ed

    with mllp.sender() as sender:
        answer = sender.ask(TWIN)

    assert segments(answer)[1] == "MSA|CA|SEPSIS-1"
    [(status, service_name)] = rows(
        service,
        "SELECT m.status, p.service FROM messages m JOIN predictions p ON p.id = m.prediction_id",
    )
    assert (status, service_name) == ("accepted", "hl7")
    audited = rows(service, "SELECT action FROM audit WHERE object_type <> 'model' ORDER BY seq")
    assert [action for (action,) in audited] == ["message", "predict"]


def test_the_same_bytes_again_get_the_same_bytes_and_leave_nothing_new(ed: tuple[Service, Listening]) -> None:
    service, mllp = ed

    with mllp.sender() as sender, mllp.sender() as other:
        answers = {sender.ask(TWIN), sender.ask(TWIN), other.ask(TWIN)}

    assert len(answers) == 1
    assert rows(service, "SELECT count(*) FROM messages") == rows(service, "SELECT count(*) FROM predictions") == [(1,)]


def test_the_same_control_id_with_other_bytes_is_taken_as_new_and_flagged(ed: tuple[Service, Listening]) -> None:
    service, mllp = ed
    other = TWIN.replace(b"||118|", b"||119|")

    with mllp.sender() as sender:
        answers = [sender.ask(TWIN), sender.ask(other)]

    assert [segments(answer)[1] for answer in answers] == ["MSA|CA|SEPSIS-1"] * 2
    remarks = rows(service, "SELECT remarks FROM messages")
    assert sorted("control-id-reused" in str(found) for (found,) in remarks) == [False, True]
    assert rows(service, "SELECT count(*) FROM predictions") == [(2,)]


def test_a_refused_message_is_stored_and_says_what_to_mend(ed: tuple[Service, Listening]) -> None:
    service, mllp = ed
    without_patient = er7(msh(), "PID|1", PV1, OBR, obx())

    with mllp.sender() as sender:
        answer = sender.ask(without_patient)

    assert "MSA|AE|M1" in segments(answer)
    assert rows(service, "SELECT status, reason, prediction_id FROM messages") == [
        ("refused", "PID[1]-3: no identifier says whose data it is", None)
    ]


def test_a_message_of_a_test_is_kept_apart_and_never_scored(ed: tuple[Service, Listening]) -> None:
    service, mllp = ed

    with mllp.sender() as sender:
        answer = sender.ask(er7(msh(msh_11="T"), PID, PV1, OBR, obx()))

    assert "MSA|AA|M1" in segments(answer)
    assert rows(service, "SELECT status, environment FROM messages") == [("ignored", "test")]
    assert rows(service, "SELECT count(*) FROM predictions") == [(0,)]


def test_an_acknowledgment_is_neither_answered_nor_stored(ed: tuple[Service, Listening]) -> None:
    service, mllp = ed

    with mllp.sender() as sender:
        sender.send(b"\x0b" + er7(msh(msh_9="ACK"), "MSA|AA|X") + b"\x1c\r")
        answer = sender.ask(TWIN)

    assert "MSA|CA|SEPSIS-1" in segments(answer)
    assert rows(service, "SELECT count(*) FROM messages") == [(1,)]


def test_a_frame_cut_off_is_kept_and_not_answered(ed: tuple[Service, Listening]) -> None:
    service, mllp = ed

    with mllp.sender() as sender:
        sender.send(b"\x0b" + TWIN[:200])
        answer = sender.ask(TWIN)

    assert "MSA|CA|SEPSIS-1" in segments(answer)
    found = rows(service, "SELECT status, reason, control_id FROM messages ORDER BY status")
    assert found == [("accepted", "", "SEPSIS-1"), ("refused", "frame: cut_off", "SEPSIS-1")]


def test_while_nothing_can_be_stored_the_sender_is_told_to_send_again(ed: tuple[Service, Listening]) -> None:
    service, mllp = ed
    plain = er7(msh(), PID, PV1, OBR, obx())
    database = service.stored

    with mllp.sender() as sender:
        with database.blocked():
            refused = sender.ask(plain)
        wait_until(service.runtime.writer.healthy)
        accepted = sender.ask(plain)

    assert "MSA|AR|M1" in segments(refused)
    assert "MSA|AA|M1" in segments(accepted)
    assert rows(service, "SELECT status FROM messages") == [("accepted",)]


def test_messages_and_acknowledgments_are_counted_by_what_became_of_them(ed: tuple[Service, Listening]) -> None:
    _, mllp = ed
    before = counted("cds_hl7_acknowledgments_total", code="CA")

    with mllp.sender() as sender:
        sender.ask(TWIN)

    assert counted("cds_hl7_acknowledgments_total", code="CA") == before + 1
    assert counted("cds_hl7_messages_total", status="accepted", repeated="no") >= 1


def test_floods_from_some_senders_slow_no_other_by_more_than_they_cost(ed: tuple[Service, Listening]) -> None:
    """Two senders with a flood of half a megabyte after the other, each refused before it is taken apart."""
    service, mllp = ed
    flood = framed(er7(msh(), PID, *["OBX|1"] * 90_000))
    over = threading.Event()

    def send_floods() -> None:
        with mllp.sender() as hostile:
            while not over.is_set():
                hostile.send(flood)
                assert b"\rMSA|AE|" in hostile.answer()

    threads = [threading.Thread(target=send_floods) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        with mllp.sender() as good:
            begun = time.monotonic()
            answers = [good.ask(er7(msh(msh_10=f"G{number}"), PID, PV1, OBR, obx())) for number in range(20)]
            taken = time.monotonic() - begun
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert all(f"\rMSA|AA|G{number}".encode() in answer for number, answer in enumerate(answers))
    assert taken < 5.0  # alone it takes about 0.1 s, on a machine that does nothing else
    assert rows(service, "SELECT count(*) FROM predictions") == [(20,)]
