"""Which code may run on the schema, predictions found by their patient, and a count of erasures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand: a table, a column with a default and an index; code that knows none of them is not disturbed."""
    floor = op.create_table(
        "schema_floor",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("oldest", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schema_floor"),
    )
    op.bulk_insert(floor, [{"id": 1, "oldest": revision}])
    op.add_column("audit_head", sa.Column("erasures", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("ix_predictions_patient_key", "predictions", ["patient_key"])


def downgrade() -> None:
    """Remove all three."""
    op.drop_column("audit_head", "erasures")
    op.drop_index("ix_predictions_patient_key", "predictions")
    op.drop_table("schema_floor")
