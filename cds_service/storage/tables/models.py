"""Decisions about model versions: what was put in force, by whom and why."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table

from cds_service.storage.tables.base import UtcDateTime, metadata

model_decisions = Table(
    "model_decisions",
    metadata,
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("task", String(16), nullable=False, index=True),
    Column("version", String(64), nullable=False),
    Column("manifest_digest", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("trainer", String(128), nullable=False),
    Column("gate", String(64), nullable=False),
    Column("overrides", String(), nullable=False),
)
