"""Confirmed cases of rare diseases, and the version of what each tenant learned from them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; code that does not know them is not disturbed."""
    op.create_table(
        "rare_cases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("prediction_id", sa.Uuid(), nullable=False),
        sa.Column("patient_key", sa.String(32)),
        sa.Column("disease", sa.String(16), nullable=False),
        sa.Column("observed", sa.String(), nullable=False),
        sa.Column("excluded", sa.String(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rare_cases"),
    )
    op.create_index("ix_rare_cases_prediction", "rare_cases", ["tenant", "prediction_id"])
    op.create_index("ix_rare_cases_patient", "rare_cases", ["tenant", "patient_key"])
    op.create_table(
        "rare_overlays",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_rare_overlays"),
    )


def downgrade() -> None:
    """Remove the tables; the ledger keeps the labels and confirmations, but the cases must be confirmed again."""
    op.drop_table("rare_overlays")
    op.drop_table("rare_cases")
