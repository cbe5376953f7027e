"""Which code may run on the schema."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from cds_service.storage.tables.base import metadata

# One row: the oldest revision whose code may run on this schema. Migrations that only add leave it; one that takes
# away what older code needs raises it to its own revision.
schema_floor = Table(
    "schema_floor",
    metadata,
    Column("id", Integer(), primary_key=True, autoincrement=False),
    Column("oldest", String(32), nullable=False),
)
