"""Feedback, labels, the hook calls that bring them, and the modes of tenants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cds_service.storage.tables import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; code that does not know them is not disturbed."""
    _create_feedback()
    _create_labels()
    op.create_table(
        "hook_calls",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("hook_instance", sa.String(128), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "service", "hook_instance", name="pk_hook_calls"),
    )
    op.create_table(
        "modes",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_modes"),
    )
    op.create_index("ix_modes_tenant", "modes", ["tenant"])


def _create_feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("environment", sa.String(16), nullable=False),
        sa.Column("card", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("outcome_timestamp", UtcDateTime(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("reason_system", sa.String(256)),
        sa.Column("reason_code", sa.String(64)),
        sa.Column("suggestions", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(16)),
        sa.Column("sealed", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.UniqueConstraint(
            "tenant",
            "card",
            "outcome",
            "outcome_timestamp",
            "content_hash",
            name="uq_feedback_tenant_card_outcome_outcome_timestamp_content_hash",
        ),
    )
    op.create_index("ix_feedback_outcome_timestamp", "feedback", ["outcome_timestamp"])


def _create_labels() -> None:
    op.create_table(
        "labels",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("thread", sa.String(64), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("environment", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("author", sa.String(128), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("observed_at", UtcDateTime(), nullable=False),
        sa.Column("stands_at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("saw_prediction", sa.String(8), nullable=False),
        sa.Column("prediction_id", sa.Uuid()),
        sa.Column("patient_key", sa.String(32)),
        sa.Column("category", sa.String(16)),
        sa.Column("code_system", sa.String(256)),
        sa.Column("code", sa.String(64)),
        sa.Column("refers_to", sa.Uuid()),
        sa.Column("quarantine", sa.String(32)),
        sa.Column("key_id", sa.String(16)),
        sa.Column("sealed", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
    )
    for name, column in (("prediction", "prediction_id"), ("patient", "patient_key")):
        op.create_index(f"ix_labels_{name}", "labels", ["tenant", column])
    op.create_index("ix_labels_actor", "labels", ["tenant", "actor", "received_at"])


def downgrade() -> None:
    """Remove the tables, and with them every record of them."""
    for table in ("modes", "hook_calls", "labels", "feedback"):
        op.drop_table(table)
