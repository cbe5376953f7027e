"""Decisions about model versions, and what challengers made of predictions."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Integer, String, Table, Uuid

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

shadow_scores = Table(
    "shadow_scores",
    metadata,
    Column("prediction_id", Uuid(), primary_key=True),
    Column("task", String(16), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("environment", String(16), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Column("answer", String(16), nullable=False),
    Column("probability", Float(53), nullable=False),
    Column("champion_version", String(64), nullable=False),
    Column("champion_answer", String(16)),
    Column("champion_probability", Float(53)),
)
