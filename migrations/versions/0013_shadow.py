"""What challengers made of predictions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; code that does not know it is not disturbed."""
    op.create_table(
        "shadow_scores",
        sa.Column("prediction_id", sa.Uuid(), nullable=False),
        sa.Column("task", sa.String(16), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("environment", sa.String(16), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("answer", sa.String(16), nullable=False),
        sa.Column("probability", sa.Float(53), nullable=False),
        sa.Column("champion_version", sa.String(64), nullable=False),
        sa.Column("champion_answer", sa.String(16)),
        sa.Column("champion_probability", sa.Float(53)),
        sa.PrimaryKeyConstraint("prediction_id", "task", "version", name="pk_shadow_scores"),
    )


def downgrade() -> None:
    """Remove the table, and with it every comparison of a challenger."""
    op.drop_table("shadow_scores")
