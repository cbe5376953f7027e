"""What a site learned of rare diseases: its confirmed cases, and the version of all of them together."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Uuid

from cds_service.storage.tables.base import UtcDateTime, metadata

rare_cases = Table(
    "rare_cases",
    metadata,
    Column("id", Uuid(), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("prediction_id", Uuid(), nullable=False),
    Column("patient_key", String(32)),
    Column("disease", String(16), nullable=False),
    Column("observed", String(), nullable=False),
    Column("excluded", String(), nullable=False),
    Column("counts", Boolean(), nullable=False),
    Column("received_at", UtcDateTime(), nullable=False),
    Index("ix_rare_cases_prediction", "tenant", "prediction_id"),
    Index("ix_rare_cases_patient", "tenant", "patient_key"),
)

rare_overlays = Table(
    "rare_overlays",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("version", Integer(), nullable=False),
)
