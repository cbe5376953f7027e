"""What callers used up: tokens, so that none is used for anything else, and calls of the minute."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, String, Table

from cds_service.storage.tables.base import UtcDateTime, metadata

tokens = Table(
    "tokens",
    metadata,
    Column("issuer", String(256), primary_key=True),
    Column("jti", String(128), primary_key=True),
    Column("request_hash", LargeBinary(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False, index=True),
)

# One row for each client, begun anew with its first call after a minute.
client_minutes = Table(
    "client_minutes",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("began_at", UtcDateTime(), nullable=False),
    Column("used", Integer(), nullable=False),
)
