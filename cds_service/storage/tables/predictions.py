"""Predictions as they were answered, and who their patients are."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, LargeBinary, String, Table, UniqueConstraint, Uuid

from cds_service.storage.tables.base import UtcDateTime, metadata

predictions = Table(
    "predictions",
    metadata,
    Column("id", Uuid(), primary_key=True),
    Column("service", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("environment", String(16), nullable=False),
    Column("hook", String(64), nullable=False),
    Column("hook_instance", String(128)),
    Column("request_hash", LargeBinary(), nullable=False),
    Column("reply", LargeBinary(), nullable=False),
    Column("patient_key", String(32), index=True),
    Column("model_version", String(64), nullable=False),
    Column("site_hash", String(64), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("language", String(16), nullable=False),
    Column("shown", Boolean(), nullable=False),
    Column("snapshot", LargeBinary(), nullable=False),
    Column("outcome", LargeBinary(), nullable=False),
    UniqueConstraint("tenant", "service", "hook_instance"),
)

# Patients that were erased: the keyed hash alone, and the secret it was made with.
erasures = Table(
    "erasures",
    metadata,
    Column("patient_key", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("erased_at", UtcDateTime(), nullable=False),
)

identities = Table(
    "identities",
    metadata,
    Column("patient_key", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("sealed", LargeBinary(), nullable=False),
    Column("updated_at", UtcDateTime(), nullable=False),
)
