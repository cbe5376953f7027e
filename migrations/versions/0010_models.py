"""Decisions about model versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; code that does not know it goes on with the version `CURRENT` names."""
    op.create_table(
        "model_decisions",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task", sa.String(16), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("manifest_digest", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("trainer", sa.String(128), nullable=False),
        sa.Column("gate", sa.String(64), nullable=False),
        sa.Column("overrides", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_model_decisions"),
    )
    op.create_index("ix_model_decisions_task", "model_decisions", ["task"])


def downgrade() -> None:
    """Remove the table, and with it every record of who decided what."""
    op.drop_table("model_decisions")
