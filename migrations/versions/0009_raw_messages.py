"""An index of the messages whose bytes are still kept."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index; code that does not know it is not disturbed."""
    op.create_index("ix_messages_kept", "messages", ["key_id", "received_at"])


def downgrade() -> None:
    """Remove the index."""
    op.drop_index("ix_messages_kept", "messages")
