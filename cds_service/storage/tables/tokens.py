"""Tokens that were used, so that none is used for anything else."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, String, Table

from cds_service.storage.tables.base import UtcDateTime, metadata

tokens = Table(
    "tokens",
    metadata,
    Column("issuer", String(256), primary_key=True),
    Column("jti", String(128), primary_key=True),
    Column("request_hash", LargeBinary(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False, index=True),
)
