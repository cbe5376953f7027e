"""What reviewers did with a prediction beside labelling it: passed it on, were unsure, or saw what it said."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Uuid

from cds_service.storage.tables.base import UtcDateTime, metadata

review_marks = Table(
    "review_marks",
    metadata,
    Column("prediction_id", Uuid(), primary_key=True),
    Column("actor", String(128), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("environment", String(16), nullable=False),
    Column("mark", String(8), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Index("ix_review_marks_tenant", "tenant", "prediction_id"),
)
