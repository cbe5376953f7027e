"""Which code may run on the schema, and predictions found by their patient."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: a table and an index; code that knows neither is not disturbed."""
    floor = op.create_table(
        "schema_floor",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("oldest", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schema_floor"),
    )
    op.bulk_insert(floor, [{"id": 1, "oldest": revision}])
    op.create_index("ix_predictions_patient_key", "predictions", ["patient_key"])


def downgrade() -> None:
    """Remove both."""
    op.drop_index("ix_predictions_patient_key", "predictions")
    op.drop_table("schema_floor")
