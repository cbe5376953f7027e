"""Readings that arrived by HL7 v2, events of their patients, and what predictions rested on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; code that does not know them is not disturbed."""
    op.create_table(
        "readings",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("environment", sa.String(16), nullable=False),
        sa.Column("patient_key", sa.String(32), nullable=False),
        sa.Column("sender", sa.String(401), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("value", sa.String()),
        sa.Column("reason", sa.String(32)),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("alarming", sa.Boolean(), nullable=False),
        sa.Column("original", sa.String(), nullable=False),
        sa.Column("change", sa.String(16), nullable=False),
        sa.Column("taken_at", UtcDateTime()),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("flags", sa.String(), nullable=False),
        sa.Column("birth", sa.LargeBinary()),
        sa.Column("sex", sa.String(8)),
        sa.Column("visit", sa.LargeBinary()),
        sa.Column("is_under_way", sa.Boolean(), nullable=False),
        sa.Column("prediction_id", sa.Uuid()),
        sa.PrimaryKeyConstraint("message_id", "number", name="pk_readings"),
    )
    op.create_index("ix_readings_patient", "readings", ["patient_key", "name", "taken_at"])
    op.create_index("ix_readings_received_at", "readings", ["received_at"])
    op.create_table(
        "patient_events",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("environment", sa.String(16), nullable=False),
        sa.Column("patient_key", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("other_key", sa.String(32)),
        sa.Column("visit", sa.LargeBinary()),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "number", name="pk_patient_events"),
    )
    op.create_index("ix_patient_events_patient_key", "patient_events", ["patient_key"])
    op.create_index("ix_patient_events_other_key", "patient_events", ["other_key"])
    op.create_table(
        "prediction_events",
        sa.Column("prediction_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", "message_id", name="pk_prediction_events"),
    )
    op.create_table(
        "prediction_readings",
        sa.Column("prediction_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", "message_id", "number", name="pk_prediction_readings"),
    )
    op.create_index("ix_prediction_readings_message", "prediction_readings", ["message_id", "number"])


def downgrade() -> None:
    """Remove the tables; the messages stay, and with them what was read from them."""
    op.drop_table("prediction_readings")
    op.drop_table("prediction_events")
    op.drop_table("patient_events")
    op.drop_table("readings")
