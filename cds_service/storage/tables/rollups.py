"""Daily roll-ups: what a day's rows come to as counts, how far each day was counted, and calls by process."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, String, Table

from cds_service.storage.tables.base import UtcDateTime, metadata

daily_rollups = Table(
    "daily_rollups",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("environment", String(16), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("part", String(16), primary_key=True),
    Column("content", LargeBinary(), nullable=False),
)

# `wanted` grows with every change to what a day is counted from, `counted` is what it was when the day was counted.
rollup_days = Table(
    "rollup_days",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("part", String(16), primary_key=True),
    Column("wanted", BigInteger(), nullable=False),
    Column("counted", BigInteger(), nullable=False),
    Column("upto", UtcDateTime()),
    Column("source_rows", BigInteger(), nullable=False),
    Column("is_kept", Boolean(), nullable=False),
)

daily_calls = Table(
    "daily_calls",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("environment", String(16), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("process", String(32), primary_key=True),
    Column("content", LargeBinary(), nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", String(128), nullable=False),
    Column("lease_until", UtcDateTime(), nullable=False),
)
