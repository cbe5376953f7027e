"""Who may call without a client's token: people, their sessions, and tokens made for people or for systems."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, String, Table

from cds_service.storage.tables.base import UtcDateTime, metadata

users = Table(
    "users",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("environment", String(16), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(256), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("disabled_at", UtcDateTime()),
)

# A session at a browser that was signed out of, until it would be over anyway.
ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("until", UtcDateTime(), nullable=False),
)

# `user_name` is the person the token was made for, null for a system.
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("secret_hash", LargeBinary(), nullable=False),
    Column("name", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("environment", String(16), nullable=False),
    Column("user_name", String(64)),
    Column("scopes", String(256), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False),
    Column("revoked_at", UtcDateTime()),
)
