"""Entries, events and writers for the storage tests, healthy unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from hashlib import sha256
from time import monotonic, sleep
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine

from cds_service.domain.patient import Identity
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied
from cds_service.storage.feedback_log import add_feedback, sealed_comment
from cds_service.storage.identity import Keyring
from cds_service.storage.people import TokenRow, UserRow
from cds_service.storage.prediction_log import PredictionEntry
from cds_service.storage.writer import GroupWriter

SECRET = "a secret of the tests, long enough to be one"
NOW = datetime(2026, 3, 14, 10, 40, tzinfo=timezone(timedelta(hours=2)))
ADA = Identity("p-1", "Ada Ejemplo", date(1955, 2, 3), (("urn:oid:1.2.3", "4711"),))


def keyring() -> Keyring:
    return Keyring(SECRET)


def an_entry(**changes: Any) -> PredictionEntry:
    values: dict[str, Any] = {
        "id": uuid4(),
        "service": "vitals-risk",
        "tenant": "north",
        "environment": "production",
        "actor": "ehr-1",
        "hook": "patient-view",
        "hook_instance": str(uuid4()),
        "request_hash": sha256(b"request").digest(),
        "reply": b'{"cards":[]}',
        "patient": ADA,
        "model_version": "1.0.0",
        "site_hash": "5" * 64,
        "created_at": NOW,
        "language": "en",
        "shown": True,
        "snapshot": b'{"at":"2026-03-14T08:40:00Z","identity":{"patient_id":""}}',
        "outcome": b'{"news2":null,"news2_omitted":"no","risk":null,"risk_omitted":"no","states":[],"would_help":[]}',
    }
    return PredictionEntry(**{**values, **changes})


def an_event(**changes: Any) -> AuditEvent:
    values: dict[str, Any] = {
        "at": NOW,
        "tenant": "north",
        "actor": "dr-house",
        "action": "read",
        "object_type": "prediction",
        "object_id": "1",
    }
    return AuditEvent(**{**values, **changes})


def a_user_row(name: str, **changes: Any) -> UserRow:
    """A clinician of the tenant north, whose password nobody knows."""
    values: dict[str, Any] = {
        "name": name,
        "tenant": "north",
        "environment": "production",
        "role": "clinician",
        "password_hash": "",
        "created_at": NOW,
        "created_by": "command:test",
    }
    return UserRow(**{**values, **changes})


def a_token_row(token_id: str, **changes: Any) -> TokenRow:
    """A system's token of the tenant north that reads, for a day."""
    values: dict[str, Any] = {
        "id": token_id,
        "secret_hash": b"",
        "name": "lab",
        "tenant": "north",
        "environment": "production",
        "user_name": None,
        "scopes": "read",
        "created_at": NOW,
        "created_by": "command:test",
        "expires_at": NOW + timedelta(days=1),
    }
    return TokenRow(**{**values, **changes})


def store_feedback(writer: GroupWriter, keys: Keyring, card: UUID, **changes: Any) -> UUID:
    """One report with a sealed comment on the card; its id."""
    row_id = uuid4()
    values: dict[str, Any] = {
        "id": row_id,
        "tenant": "north",
        "environment": "production",
        "card": card,
        "outcome": "overridden",
        "outcome_timestamp": NOW,
        "content_hash": row_id.bytes,
        "received_at": NOW,
        "actor": "ehr-1",
        "suggestions": "[]",
        **sealed_comment(keys, "feedback", row_id, "a comment"),
        **changes,
    }
    writer.submit_change(lambda transaction: Applied(add_feedback(transaction, values)))
    return row_id


@contextmanager
def a_writer(engine: Engine, *, deadline_s: float = 2.0) -> Iterator[GroupWriter]:
    writer = GroupWriter(engine, keyring(), deadline_s=deadline_s)
    try:
        yield writer
    finally:
        writer.drain()


def eventually(claim: Any, *, within_s: float = 5.0) -> bool:
    """Whether the claim comes true in time."""
    end = monotonic() + within_s
    while monotonic() < end:
        if claim():
            return True
        sleep(0.02)
    return bool(claim())
