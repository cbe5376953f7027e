"""The audit chain and where it ends."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table

from cds_service.storage.tables.base import UtcDateTime, metadata

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("at", UtcDateTime(), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(32), nullable=False),
    Column("object_type", String(32), nullable=False),
    Column("object_id", String(128), nullable=False),
    Column("detail", String(), nullable=False),
    Column("prev_hash", LargeBinary(), nullable=False),
    Column("hash", LargeBinary(), nullable=False),
)

# One row: where the chain ends. Locked by whoever extends it, sealed with a key the database does not hold.
# `probes` counts the writes made only to find out whether the database takes them, `erasures` the times identities
# were deleted: a writer that remembers what it stored looks at it in every transaction.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer(), primary_key=True, autoincrement=False),
    Column("seq", BigInteger(), nullable=False),
    Column("hash", LargeBinary(), nullable=False),
    Column("seal", LargeBinary(), nullable=False),
    Column("probes", BigInteger(), nullable=False),
    Column("erasures", BigInteger(), nullable=False, server_default="0"),
)
