from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from cds_service.domain.actor import Actor
from cds_service.domain.patient import Identity
from cds_service.errors import Unavailable
from cds_service.services.forget import forget_one_patient
from cds_service.services.rotate_key import rotate_key
from cds_service.storage.audit_log import AuditEvent, verify_chain
from cds_service.storage.identity import Keyring, read_identity
from cds_service.storage.key_rotation import SEALED, rotate_some
from cds_service.storage.prediction_log import read_prediction
from cds_service.storage.tables import metadata
from cds_service.storage.writer import GroupWriter
from tests.databases import Database
from tests.storage.builders import ADA, NOW, SECRET, an_entry, an_event, eventually, store_feedback

NEW = "a new secret of the tests, long enough as well"
OPERATOR = Actor(name="command:op", kind="command", role="operator", tenant="north", environment="production")
PATIENTS = 7


def both() -> Keyring:
    return Keyring(NEW, SECRET)


def rotate(writer: GroupWriter) -> int:
    return rotate_key(writer.submit_change, both(), actor=OPERATOR, at=NOW)


@pytest.fixture
def old_rows(engine: Engine, writer: GroupWriter) -> Engine:
    """Patients stored under the old key, two predictions each."""
    for number in range(2 * PATIENTS):
        writer.submit(an_entry(patient=replace(ADA, patient_id=f"p-{number % PATIENTS}")))
    return engine


@pytest.fixture
def new_writer(old_rows: Engine, writer: GroupWriter) -> GroupWriter:
    """The service started again with both keys."""
    writer.drain()
    return GroupWriter(old_rows, both())


def test_before_the_rotation_both_keys_are_read(old_rows: Engine, new_writer: GroupWriter) -> None:
    old_key, new_key = Keyring(SECRET).patient_key("north", "p-1"), Keyring(NEW).patient_key("north", "p-1")
    new_writer.submit(an_entry(patient=replace(ADA, patient_id="p-1", name="Ada Otra")))
    new_writer.drain()

    assert read_identity(old_rows, both(), old_key) is not None
    assert read_identity(old_rows, both(), new_key) == replace(ADA, patient_id="p-1", name="Ada Otra")
    assert both().patient_keys("north", "p-1") == [new_key, old_key]
    assert verify_chain(old_rows, both()) is None


def test_after_the_rotation_the_new_key_alone_reads_everything(
    database: Database, old_rows: Engine, new_writer: GroupWriter
) -> None:
    newer = an_entry(patient=replace(ADA, patient_id="p-1", name="Ada Otra"))
    new_writer.submit(newer)

    assert rotate(new_writer) == PATIENTS
    new_writer.drain()

    alone = Keyring(NEW)
    assert database.rows(f"SELECT count(*) FROM identities WHERE key_id = '{alone.key_id}'") == [(PATIENTS,)]
    assert database.rows("SELECT count(*) FROM identities") == [(PATIENTS,)]
    for number in range(PATIENTS):
        key = alone.patient_key("north", f"p-{number}")
        found = read_identity(old_rows, alone, key)
        assert found is not None
        assert found.name == ("Ada Otra" if number == 1 else ADA.name)
        expected = 3 if number == 1 else 2
        assert database.rows(f"SELECT count(*) FROM predictions WHERE patient_key = '{key}'") == [(expected,)]
    stored = read_prediction(old_rows, newer.id, "north")
    assert stored is not None
    assert verify_chain(old_rows, alone) is None
    assert verify_chain(old_rows, Keyring(SECRET)) is not None


def test_a_rotation_that_stopped_half_way_goes_on(old_rows: Engine, new_writer: GroupWriter) -> None:
    first = new_writer.submit_change(rotate_some(both(), an_event(), batch=3))
    new_writer.submit(an_entry(patient=replace(ADA, patient_id="p-1")))

    assert (first, rotate(new_writer)) in {(3, PATIENTS - 3), (3, PATIENTS - 2)}
    assert rotate(new_writer) == 0
    new_writer.drain()
    assert verify_chain(old_rows, Keyring(NEW)) is None


def test_comments_are_sealed_again_and_read_with_the_new_key_alone(
    database: Database, engine: Engine, writer: GroupWriter
) -> None:
    comment = store_feedback(writer, Keyring(SECRET), uuid4())
    writer.drain()
    later = GroupWriter(engine, both())

    assert rotate(later) == 1
    later.drain()
    ((sealed, key_id),) = database.rows("SELECT sealed, key_id FROM feedback")
    assert key_id == Keyring(NEW).key_id
    assert Keyring(NEW).unseal(f"feedback:{comment}", bytes(sealed)) == b"a comment"


def test_every_table_with_sealed_text_is_rotated() -> None:
    assert {table for table in metadata.tables.values() if "sealed" in table.c} == set(SEALED)


def test_a_database_without_patients_is_sealed_with_the_new_key(engine: Engine, writer: GroupWriter) -> None:
    writer.submit_audit(an_event())
    writer.drain()
    later = GroupWriter(engine, both())

    assert rotate(later) == 0
    later.drain()
    assert verify_chain(engine, Keyring(NEW)) is None


def test_a_row_of_a_third_key_stops_the_rotation_by_name(old_rows: Engine, new_writer: GroupWriter) -> None:
    wrong = Keyring(NEW, "some other secret nobody sealed a row with")
    event = AuditEvent(at=NOW, tenant="", actor="x", action="key-rotation", object_type="records", object_id="1")

    with pytest.raises(Unavailable, match=Keyring(SECRET).key_id):
        new_writer.submit_change(rotate_some(wrong, event))
    new_writer.drain()


def test_erasing_half_way_through_a_rotation_finds_both_keys(
    database: Database, old_rows: Engine, new_writer: GroupWriter
) -> None:
    new_writer.submit(an_entry(patient=Identity("p-1")))
    deleted = forget_one_patient(new_writer.submit_change, both(), "p-1", actor=OPERATOR, at=NOW, reference="request 7")
    new_writer.drain()

    assert deleted == {"predictions": 3, "identities": 2}
    assert database.rows("SELECT count(*) FROM identities") == [(PATIENTS - 1,)]


def test_without_the_previous_key_old_rows_are_not_read(old_rows: Engine, writer: GroupWriter) -> None:
    assert eventually(writer.healthy)

    with pytest.raises(Unavailable, match=Keyring(SECRET).key_id):
        read_identity(old_rows, Keyring(NEW), Keyring(SECRET).patient_key("north", "p-1"))
