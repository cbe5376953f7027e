"""An index of the readings that take others back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_TAKES_BACK = sa.text("change <> 'none'")


def upgrade() -> None:
    """Create the index; code that does not know it is not disturbed."""
    op.create_index(
        "ix_readings_taking_back",
        "readings",
        ["patient_key"],
        sqlite_where=_TAKES_BACK,
        postgresql_where=_TAKES_BACK,
    )


def downgrade() -> None:
    """Remove the index."""
    op.drop_index("ix_readings_taking_back", "readings")
