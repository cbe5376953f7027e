"""What is kept of HL7 v2 messages: encrypted, not for longer than needed, gone with the patient."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from cds_service.beside import ITSELF
from cds_service.domain.actor import LOCAL, Actor
from cds_service.domain.policy import ReadingPolicy
from cds_service.services.forget import Retention, forget_messages, forget_one_patient, forget_what_is_old
from cds_service.services.rotate_key import rotate_key
from cds_service.services.stored_readings import ReadingsStore
from cds_service.storage.audit_log import verify_chain
from cds_service.storage.identity import Keyring
from cds_service.storage.raw_messages import kept_messages
from cds_service.storage.stored_messages import read_whole
from cds_service.storage.writer import GroupWriter
from tests.conftest import SECRET, Clock, Service, cds_in, scored_by
from tests.hl7.builders import OBR, PID, PV1, er7, msh, obx, snapshot
from tests.web.test_messages import post, rows
from tests.web.test_replayed_messages import Away, message_id

GOOD = er7(msh(), PID, PV1, OBR, obx())
REFUSED = er7(msh(msh_10="M2", msh_12="3.0"), PID, PV1, OBR, obx())
NO_MESSAGE = b"Ejemplo^Rosa 19541102"
OTHER_PID = "PID|1||P2^^^HOSP^MR||Otro^Ana||19600101|F"
OTHERS = er7(msh(msh_10="M3"), OTHER_PID, PV1, OBR, obx())
BOTH = er7(msh(msh_10="M4"), OTHER_PID, PV1, OBR, obx(), PID, PV1, OBR, obx("1-8^Nothing we know^LN"))
MERGED = er7(msh(msh_9="ADT^A40", msh_10="M5"), OTHER_PID, "MRG|P1^^^HOSP^MR")
TEST_DATA = er7(msh(msh_10="M6", msh_11="T"), PID, PV1, OBR, obx())
LOCAL_OPERATOR = Actor(name="command:op", kind="command", role="operator", tenant="local", environment="test")
NEW = "a new secret of the tests, long enough as well"


def forget(service: Service, message_days: int, clock: Clock) -> dict[str, int]:
    keep = Retention(message_days=message_days)
    return dict(forget_what_is_old(service.runtime.writer.submit_change, keep, actor=ITSELF, at=clock.moment))


def test_a_message_names_the_patient_only_encrypted(service: Service, clock: Clock) -> None:
    for message in (GOOD, REFUSED, NO_MESSAGE, TEST_DATA):
        post(service, message)
    service.runtime.drain()

    kept = b"".join(path.read_bytes() for path in service.database.parent.glob("cds.db*"))
    assert [data for data in ("Ejemplo", "Rosa", "19541102", "P1^^^HOSP") if data.encode() in kept] == []
    assert rows(service, "SELECT count(*) FROM messages WHERE sealed IS NOT NULL") == [(4,)]


def test_bytes_are_let_go_after_their_days_and_a_repeat_is_still_answered_as_before(
    either: Service, clock: Clock
) -> None:
    answer = post(either, GOOD).data
    clock.moment += timedelta(days=29)
    assert forget(either, 30, clock) == {}
    clock.moment += timedelta(days=2)
    post(either, OTHERS)

    assert forget(either, 30, clock) == {"bytes of messages": 1}
    assert forget(either, 30, clock) == {}

    assert rows(either, "SELECT count(*), count(sealed), count(key_id) FROM messages") == [(2, 1, 1)]
    assert rows(either, "SELECT count(*) FROM readings") == [(2,)]
    assert post(either, GOOD).data == answer
    assert rows(either, "SELECT detail FROM audit WHERE action = 'retention'") == [('{"bytes of messages":1}',)]
    assert verify_chain(either.runtime.engine, either.runtime.keyring) is None


@pytest.mark.parametrize("command", ["show", "replay"])
def test_what_was_let_go_can_neither_be_shown_nor_replayed(service: Service, clock: Clock, command: str) -> None:
    post(service, REFUSED)
    clock.moment += timedelta(days=31)
    forget(service, 30, clock)

    done = cds_in(service, "messages", command, message_id(service))

    assert (done.returncode, "CDS_MESSAGE_RETENTION_DAYS" in done.stderr) == (1, True)


def test_a_pending_message_without_its_bytes_keeps_no_other_waiting(either: Service, clock: Clock) -> None:
    good = scored_by(either, Away())
    post(either, GOOD)
    clock.moment += timedelta(days=31)
    forget(either, 30, clock)
    post(either, OTHERS)
    scored_by(either, good)

    either.runtime.beside._score_pending()

    assert rows(either, "SELECT status FROM messages ORDER BY received_at") == [("pending",), ("accepted",)]


def test_erasing_a_patient_reaches_every_message_and_reading_of_theirs_and_no_others(
    either: Service, clock: Clock
) -> None:
    runtime = either.runtime
    for message in (GOOD, REFUSED, OTHERS, BOTH, MERGED, TEST_DATA):
        post(either, message)

    submit, keyring = runtime.writer.submit_change, runtime.keyring
    request = {"actor": LOCAL_OPERATOR, "at": clock.moment, "reference": "request 7"}
    kept = kept_messages(runtime.engine, keyring, "local", batch=2)
    deleted = forget_messages(submit, kept, "HOSP|P1", **request)  # type: ignore[arg-type]
    forget_one_patient(submit, keyring, "HOSP|P1", **request)  # type: ignore[arg-type]

    assert deleted == {"messages": 5}
    assert rows(either, "SELECT control_id FROM messages") == [("M3",)]
    erased = runtime.keyring.patient_key("local", "HOSP|P1")
    for table in ("readings", "identities", "predictions", "patient_events"):
        assert rows(either, f"SELECT count(*) FROM {table} WHERE patient_key = '{erased}'") == [(0,)], table
    assert rows(either, "SELECT count(*) > 0 FROM readings")[0][0]
    assert verify_chain(runtime.engine, runtime.keyring) is None


def test_the_command_erases_messages_too(service: Service, clock: Clock) -> None:
    for message in (GOOD, REFUSED, OTHERS):
        post(service, message)

    done = cds_in(service, "erase", "--tenant", "local", "--patient", "HOSP|P1")

    assert done.returncode == 0, done.stderr
    assert rows(service, "SELECT control_id FROM messages") == [("M3",)]


def test_an_id_of_a_fhir_sender_erases_no_message_that_holds_the_same_text(service: Service, clock: Clock) -> None:
    post(service, GOOD)

    assert cds_in(service, "erase", "--tenant", "local", "--patient", "P1").returncode == 0
    assert rows(service, "SELECT count(*) FROM messages") == [(1,)]


def test_another_secret_opens_messages_and_still_knows_whose_readings_are(either: Service, clock: Clock) -> None:
    runtime = either.runtime
    post(either, er7(msh(), PID, PV1, OBR, obx()))
    runtime.drain()
    both = Keyring(NEW, SECRET)
    writer = GroupWriter(runtime.engine, both)

    assert rotate_key(writer.submit_change, both, actor=ITSELF, at=clock.moment) == 2
    writer.drain()

    alone = Keyring(NEW)
    assert read_whole(runtime.engine, alone, UUID(message_id(either))).raw == GOOD
    asked = snapshot(er7(msh(), PID, PV1), at=clock.moment)
    filled = ReadingsStore(runtime.engine, alone, ReadingPolicy()).fill(asked, LOCAL)
    assert list(filled.snapshot.readings) == ["heart_rate"]
    assert verify_chain(runtime.engine, alone) is None
