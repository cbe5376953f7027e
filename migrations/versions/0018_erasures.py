"""Patients that were erased, so that nothing of theirs is imported again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UtcDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; code that does not know it is not disturbed."""
    op.create_table(
        "erasures",
        sa.Column("patient_key", sa.String(32), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("erased_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("patient_key", name="pk_erasures"),
    )


def downgrade() -> None:
    """Remove the table: who was erased comes back with the next file that names them."""
    op.drop_table("erasures")
