from __future__ import annotations

from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select

from cds_service.domain.actor import Actor
from cds_service.domain.patient import Identity
from cds_service.services.forget import Retention, forget_one_patient, forget_what_is_old
from cds_service.storage import personal
from cds_service.storage.audit_log import verify_chain
from cds_service.storage.identity import read_identity
from cds_service.storage.prediction_log import new_prediction_id, read_prediction
from cds_service.storage.tables import audit, metadata
from cds_service.storage.writer import GroupWriter
from tests.databases import Database
from tests.storage.builders import ADA, NOW, a_writer, an_entry, keyring, store_feedback

OPERATOR = Actor(name="command:op", kind="command", role="operator", tenant="north", environment="production")
BEA = Identity("p-2", "Bea Ejemplo")
# Tables that say nothing of any patient: ids, hashes, counts, and who may call.
IMPERSONAL = {
    "api_tokens",
    "audit",
    "audit_head",
    "client_minutes",
    "daily_calls",
    "daily_rollups",
    "ended_sessions",
    "erasures",
    "leases",
    "model_decisions",
    "modes",
    "rare_overlays",
    "retrain_triggers",
    "rollup_days",
    "schema_floor",
    "tokens",
    "users",
}


def an_old_entry(days: int, **changes: object) -> object:
    at = NOW - timedelta(days=days)
    return an_entry(id=new_prediction_id(at), created_at=at, **changes)


def forget_old(writer: GroupWriter, days: int = 30) -> Counter[str]:
    return forget_what_is_old(writer.submit_change, Retention(days), actor=OPERATOR, at=NOW)


def erase(writer: GroupWriter, patient_id: str) -> Counter[str]:
    return forget_one_patient(
        writer.submit_change, keyring(), patient_id, actor=OPERATOR, at=NOW, reference="request 7"
    )


def test_every_table_is_either_forgotten_from_or_says_nothing_of_patients() -> None:
    assert {one.table.name for one in personal.PERSONAL} | IMPERSONAL == set(metadata.tables)


def test_what_is_older_than_it_may_be_kept_is_deleted_and_the_audit_stays_whole(
    database: Database, engine: Engine, writer: GroupWriter
) -> None:
    old, young = an_old_entry(31), an_old_entry(29, patient=BEA)
    for entry in (old, young):
        writer.submit(entry)  # type: ignore[arg-type]

    deleted = forget_old(writer)

    assert deleted == {"predictions": 1, "identities": 1}
    assert read_prediction(engine, old.id, "north") is None  # type: ignore[attr-defined]
    assert read_prediction(engine, young.id, "north") is not None  # type: ignore[attr-defined]
    assert database.rows("SELECT count(*) FROM identities") == [(1,)]
    assert database.rows("SELECT action, detail FROM audit WHERE seq = 3") == [
        ("retention", '{"predictions":1,"identities":1}')
    ]
    assert verify_chain(engine, keyring()) is None
    assert forget_old(writer) == {}


def test_an_identity_stays_while_anything_refers_to_it(engine: Engine, writer: GroupWriter) -> None:
    for days in (31, 29):
        writer.submit(an_old_entry(days))  # type: ignore[arg-type]

    assert forget_old(writer) == {"predictions": 1}
    assert read_identity(engine, keyring(), keyring().patient_key("north", "p-1")) == ADA


def test_much_that_is_old_goes_in_batches(
    database: Database, writer: GroupWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(personal.forget_old, "__kwdefaults__", {"batch": 4})
    for number in range(11):
        writer.submit(an_old_entry(40, patient=Identity(f"p-{number}")))  # type: ignore[arg-type]

    assert forget_old(writer) == {"predictions": 11, "identities": 11}
    assert database.rows("SELECT count(*) FROM audit WHERE action = 'retention'") == [(5,)]


def test_one_patient_is_erased_and_nobody_else(database: Database, engine: Engine, writer: GroupWriter) -> None:
    for patient in (ADA, ADA, BEA):
        writer.submit(an_entry(patient=patient))
    writer.submit(an_entry(patient=ADA, tenant="south"))

    deleted = erase(writer, "p-1")

    assert deleted == {"predictions": 2, "identities": 1}
    assert database.rows("SELECT tenant, count(*) FROM predictions GROUP BY tenant ORDER BY tenant") == [
        ("north", 1),
        ("south", 1),
    ]
    assert verify_chain(engine, keyring()) is None
    assert erase(writer, "p-1") == {}


def test_a_comment_on_a_patients_card_goes_with_the_patient_and_the_outcome_stays(
    database: Database, writer: GroupWriter
) -> None:
    for patient in (ADA, BEA):
        entry = an_entry(patient=patient)
        writer.submit(entry)
        store_feedback(writer, keyring(), entry.id)

    assert erase(writer, "p-1") == {"feedback": 1, "predictions": 1, "identities": 1}
    assert database.rows("SELECT outcome, sealed IS NULL AS gone FROM feedback ORDER BY gone") == [
        ("overridden", False),
        ("overridden", True),
    ]


def test_old_comments_are_emptied(database: Database, writer: GroupWriter) -> None:
    for days in (31, 29):
        store_feedback(writer, keyring(), uuid4(), received_at=NOW - timedelta(days=days))

    assert forget_old(writer) == {"feedback": 1}
    assert database.rows("SELECT count(sealed), count(*) FROM feedback") == [(1, 2)]


def test_the_audit_names_the_request_and_not_the_patient(engine: Engine, writer: GroupWriter) -> None:
    writer.submit(an_entry(patient=ADA))
    erase(writer, "p-1")

    with engine.connect() as connection:
        rows = connection.execute(select(audit).where(audit.c.action == "erasure")).all()
    assert [row.object_id for row in rows] == ["request 7"] * 2
    assert rows[0].detail == '{"listed":1}'
    assert "p-1" not in repr(rows)
    assert keyring().patient_key("north", "p-1") not in repr(rows)


def test_a_patient_who_comes_back_is_stored_again_by_every_writer(engine: Engine, writer: GroupWriter) -> None:
    """Writers remember whom they stored; erasing happens in another process."""
    writer.submit(an_entry(patient=ADA))
    with a_writer(engine) as command:
        erase(command, "p-1")

    writer.submit(an_entry(patient=ADA))

    assert read_identity(engine, keyring(), keyring().patient_key("north", "p-1")) == ADA
