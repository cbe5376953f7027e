"""Trainings that were asked for, each with a lease."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; code that does not know it is not disturbed."""
    op.create_table(
        "retrain_triggers",
        sa.Column("task", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("window", sa.String(64), nullable=False),
        sa.Column("dataset_sha256", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("holder", sa.String(128), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("task", "reason", "window", "dataset_sha256", name="pk_retrain_triggers"),
    )


def downgrade() -> None:
    """Remove the table; a trigger asked for again then trains again."""
    op.drop_table("retrain_triggers")
