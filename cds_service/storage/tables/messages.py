"""HL7 v2 messages as they came, what became of them, and how they were acknowledged."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, UniqueConstraint, Uuid

from cds_service.storage.tables.base import UtcDateTime, metadata

messages = Table(
    "messages",
    metadata,
    Column("id", Uuid(), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("environment", String(16), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("sender", String(401), nullable=False),
    Column("control_id", String(200), nullable=False),
    Column("sha256", LargeBinary(), nullable=False),
    Column("type", String(401), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("remarks", String(), nullable=False),
    Column("accept_reply", LargeBinary()),
    Column("application_reply", LargeBinary()),
    Column("prediction_id", Uuid()),
    Column("patient_key", String(32), index=True),
    Column("received_at", UtcDateTime(), nullable=False, index=True),
    Column("attempts", Integer(), nullable=False),
    Column("key_id", String(16)),
    Column("sealed", LargeBinary()),
    UniqueConstraint("tenant", "environment", "sender", "control_id", "sha256"),
    Index("ix_messages_status", "status", "id"),
    Index("ix_messages_kept", "key_id", "received_at"),
)
