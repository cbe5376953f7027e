"""Messages that are stored in one group: each as if it had come alone, on both databases."""

from __future__ import annotations

import pytest

from cds_service.domain.actor import LOCAL
from cds_service.services.receive_message import prepare_message
from cds_service.storage.identity import read_identity
from tests.conftest import NOW, Service
from tests.hl7.builders import OBR, PID, PV1, er7, msh, obx
from tests.storage.test_joint_changes import in_one_group
from tests.web.test_messages import rows


@pytest.fixture
def service(either: Service) -> Service:
    return either


def message(control_id: str, value: int = 128, pid: str = PID, **fields: str) -> bytes:
    return er7(msh(msh_10=control_id), pid, PV1, OBR, obx(value=value, **fields))


def received(service: Service, *messages: bytes) -> list[bytes]:
    """The answers to messages that waited together for the writer."""
    intake, writer = service.runtime.beside.intake, service.runtime.writer
    prepared = [prepare_message(one, LOCAL, intake, at=NOW) for one in messages]
    outcomes = in_one_group(writer, *(one.change for one in prepared if one is not None))
    replies = [one.reply(outcome()) for one, outcome in zip(prepared, outcomes, strict=True) if one is not None]
    return [reply.application or b"" for reply in replies]


def test_repeats_reused_ids_and_corrections_in_a_group_are_what_they_are_alone(service: Service) -> None:
    original, other = message("M1"), message("M1", 129)
    correction = message("M3", 131, obx_11="C")

    answers = received(service, original, message("M2", 90), original, other, correction, b"no message")

    assert [b"|AA|" in answer for answer in answers] == [True] * 5 + [False]
    assert answers[2] == answers[0]  # the same bytes: the stored acknowledgment
    found = rows(service, "SELECT control_id, status, remarks FROM messages ORDER BY control_id, remarks")
    assert found == [
        ("", "refused", ""),
        ("M1", "accepted", ""),
        ("M1", "accepted", "control-id-reused"),
        ("M2", "accepted", ""),
        ("M3", "accepted", ""),
    ]
    assert rows(service, "SELECT count(*), count(DISTINCT hook_instance) FROM predictions") == [(4, 4)]
    assert rows(service, "SELECT count(*) FROM identities") == [(1,)]
    actions = rows(service, "SELECT action, count(*) FROM audit GROUP BY action ORDER BY action")
    assert ("message", 5) in actions
    assert ("message-repeat", 1) in actions
    assert ("predict", 4) in actions


def test_a_second_group_of_the_same_bytes_leaves_nothing_new(service: Service) -> None:
    several = [message(f"M{number}", 60 + number, PID.replace("P1", f"P{number % 3}")) for number in range(20)]

    assert received(service, *several) == received(service, *several)
    assert rows(service, "SELECT count(*) FROM messages") == rows(service, "SELECT count(*) FROM predictions")
    assert rows(service, "SELECT count(*) FROM readings") == [(20,)]
    assert rows(service, "SELECT count(*) FROM identities") == [(3,)]


def sealed(service: Service) -> object:
    [(found,)] = rows(service, "SELECT sealed FROM identities")
    return found


def test_an_identity_that_is_known_is_written_again_once_it_was_erased(service: Service) -> None:
    received(service, message("M1"))
    first = sealed(service)
    received(service, message("M2", 90), message("M3", 91))
    assert sealed(service) == first

    service.stored.execute("DELETE FROM identities")
    service.stored.execute("UPDATE audit_head SET erasures = erasures + 1")
    received(service, message("M4", 92), message("M5", 93))

    assert sealed(service) != first


def test_of_two_names_in_a_group_the_later_one_is_kept_though_it_is_known(service: Service) -> None:
    renamed = PID.replace("Ejemplo", "Otro")
    received(service, message("M1"))

    received(service, message("M2", 90, renamed), message("M3", 91))
    received(service, message("M4", 92))

    [(key,)] = rows(service, "SELECT patient_key FROM identities")
    found = read_identity(service.runtime.engine, service.runtime.keyring, str(key))
    assert found is not None
    assert "Ejemplo" in found.name
