"""Trainings that were asked for: by what, on which data, by whom and until when, and what came of it."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from cds_service.storage.tables.base import UtcDateTime, metadata

retrain_triggers = Table(
    "retrain_triggers",
    metadata,
    Column("task", String(16), primary_key=True),
    Column("reason", String(64), primary_key=True),
    Column("window", String(64), primary_key=True),
    Column("dataset_sha256", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("holder", String(128), nullable=False),
    Column("lease_until", UtcDateTime(), nullable=False),
    Column("started_at", UtcDateTime(), nullable=False),
    Column("version", String(64), nullable=False),
    Column("verdict", String(32), nullable=False),
)
