"""The tables of the database, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

# Names of constraints are given here, so that a later migration can name what it drops.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


def utc_text(moment: datetime) -> str:
    """The moment in UTC as fixed-width ISO 8601, which both databases take and which sorts by time."""
    if moment.tzinfo is None:
        raise ValueError("a stored time needs an offset")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, read back in UTC: TIMESTAMP WITH TIME ZONE where there is one, ISO 8601 text on SQLite."""

    impl = String(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime] | TypeEngine[str]:
        """Text on SQLite, the database's own aware time elsewhere."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | datetime | None:
        """What the driver gets."""
        if value is None or dialect.name != "sqlite":
            return value
        return utc_text(value)

    def process_result_value(self, value: str | datetime | None, dialect: Dialect) -> datetime | None:
        """What the caller gets."""
        if value is None:
            return None
        return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


predictions = Table(
    "predictions",
    metadata,
    Column("id", Uuid(), primary_key=True),
    Column("service", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("environment", String(16), nullable=False),
    Column("hook", String(64), nullable=False),
    Column("hook_instance", String(128)),
    Column("request_hash", LargeBinary(), nullable=False),
    Column("reply", LargeBinary(), nullable=False),
    Column("patient_key", String(32)),
    Column("model_version", String(64), nullable=False),
    Column("site_hash", String(64), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("language", String(16), nullable=False),
    Column("shown", Boolean(), nullable=False),
    Column("snapshot", LargeBinary(), nullable=False),
    Column("outcome", LargeBinary(), nullable=False),
    UniqueConstraint("tenant", "service", "hook_instance"),
)

identities = Table(
    "identities",
    metadata,
    Column("patient_key", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("sealed", LargeBinary(), nullable=False),
    Column("updated_at", UtcDateTime(), nullable=False),
)

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
# `probes` counts the writes made only to find out whether the database takes them.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer(), primary_key=True, autoincrement=False),
    Column("seq", BigInteger(), nullable=False),
    Column("hash", LargeBinary(), nullable=False),
    Column("seal", LargeBinary(), nullable=False),
    Column("probes", BigInteger(), nullable=False),
)
