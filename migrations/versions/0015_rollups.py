"""Daily roll-ups, how far they were counted, calls by day, and leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_WHOSE = ("tenant", "environment", "day")


def upgrade() -> None:
    """Create the tables; code that does not know them is not disturbed."""
    op.create_table(
        "daily_rollups",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("environment", sa.String(16), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("part", sa.String(16), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(*_WHOSE, "part", name="pk_daily_rollups"),
    )
    op.create_table(
        "rollup_days",
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("part", sa.String(16), nullable=False),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("upto", UtcDateTime()),
        sa.Column("source_rows", sa.BigInteger(), nullable=False),
        sa.Column("is_kept", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("day", "part", name="pk_rollup_days"),
    )
    op.create_table(
        "daily_calls",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("environment", sa.String(16), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("process", sa.String(32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(*_WHOSE, "process", name="pk_daily_calls"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("holder", sa.String(128), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def downgrade() -> None:
    """Remove the tables; the counts are made again from what is stored, those of calls are gone."""
    for name in ("leases", "daily_calls", "rollup_days", "daily_rollups"):
        op.drop_table(name)
