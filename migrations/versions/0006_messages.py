"""HL7 v2 messages as they came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; code that does not know it is not disturbed."""
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("environment", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("sender", sa.String(401), nullable=False),
        sa.Column("control_id", sa.String(200), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("type", sa.String(401), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("remarks", sa.String(), nullable=False),
        sa.Column("accept_reply", sa.LargeBinary()),
        sa.Column("application_reply", sa.LargeBinary()),
        sa.Column("prediction_id", sa.Uuid()),
        sa.Column("patient_key", sa.String(32)),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(16)),
        sa.Column("sealed", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.UniqueConstraint("tenant", "environment", "sender", "control_id", "sha256", name="uq_messages_tenant_environment_sender_control_id_sha256"),
    )
    op.create_index("ix_messages_patient_key", "messages", ["patient_key"])
    op.create_index("ix_messages_received_at", "messages", ["received_at"])
    op.create_index("ix_messages_status", "messages", ["status", "id"])


def downgrade() -> None:
    """Remove the table, and with it what senders were answered."""
    op.drop_table("messages")
