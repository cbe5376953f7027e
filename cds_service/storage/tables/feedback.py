"""What came back from clinicians: outcomes of cards, labels, calls that brought them; and the modes of tenants."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, UniqueConstraint, Uuid

from cds_service.storage.tables.base import UtcDateTime, metadata

feedback = Table(
    "feedback",
    metadata,
    Column("id", Uuid(), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("environment", String(16), nullable=False),
    Column("card", Uuid(), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("outcome_timestamp", UtcDateTime(), nullable=False, index=True),
    Column("content_hash", LargeBinary(), nullable=False),
    Column("received_at", UtcDateTime(), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("reason_system", String(256)),
    Column("reason_code", String(64)),
    Column("suggestions", String(), nullable=False),
    Column("key_id", String(16)),
    Column("sealed", LargeBinary()),
    UniqueConstraint("tenant", "card", "outcome", "outcome_timestamp", "content_hash"),
)

labels = Table(
    "labels",
    metadata,
    Column("id", Uuid(), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("thread", String(64), nullable=False),
    Column("source", String(16), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("environment", String(16), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("author", String(128), nullable=False),
    Column("role", String(32), nullable=False),
    Column("observed_at", UtcDateTime(), nullable=False),
    Column("stands_at", UtcDateTime(), nullable=False),
    Column("received_at", UtcDateTime(), nullable=False),
    Column("saw_prediction", String(8), nullable=False),
    Column("prediction_id", Uuid()),
    Column("patient_key", String(32)),
    Column("category", String(16)),
    Column("code_system", String(256)),
    Column("code", String(64)),
    Column("icu_admission", Boolean()),
    Column("refers_to", Uuid()),
    Column("quarantine", String(32)),
    Column("key_id", String(16)),
    Column("sealed", LargeBinary()),
    Index("ix_labels_prediction", "tenant", "prediction_id"),
    Index("ix_labels_patient", "tenant", "patient_key"),
    Index("ix_labels_actor", "tenant", "actor", "received_at"),
)

hook_calls = Table(
    "hook_calls",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("service", String(64), primary_key=True),
    Column("hook_instance", String(128), primary_key=True),
    Column("request_hash", LargeBinary(), nullable=False),
    Column("reply", LargeBinary(), nullable=False),
    Column("received_at", UtcDateTime(), nullable=False),
)

modes = Table(
    "modes",
    metadata,
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("tenant", String(64), nullable=False, index=True),
    Column("mode", String(16), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
)
