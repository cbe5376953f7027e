"""Labels may say whether the visit ended in intensive care."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; code that does not know it is not disturbed."""
    op.add_column("labels", sa.Column("icu_admission", sa.Boolean()))


def downgrade() -> None:
    """Remove the column, and with it what was said."""
    op.drop_column("labels", "icu_admission")
