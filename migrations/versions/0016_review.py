"""What reviewers passed on, were unsure of, or had seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; code that does not know it is not disturbed."""
    op.create_table(
        "review_marks",
        sa.Column("prediction_id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("environment", sa.String(16), nullable=False),
        sa.Column("mark", sa.String(8), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", "actor", name="pk_review_marks"),
    )
    op.create_index("ix_review_marks_tenant", "review_marks", ["tenant", "prediction_id"])


def downgrade() -> None:
    """Remove the table; what was passed on is asked again, and nobody knows who had seen a prediction."""
    op.drop_table("review_marks")
