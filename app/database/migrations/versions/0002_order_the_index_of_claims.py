"""Order the index of claims as claims do: highest priority first, then oldest."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NAME = "ix_jobs_claim"


def upgrade() -> None:
    """The priority descending."""
    op.drop_index(_NAME, "jobs")
    op.create_index(_NAME, "jobs", ["lane", "state", "paused", sa.text("priority DESC"), "id"])


def downgrade() -> None:
    """The priority ascending."""
    op.drop_index(_NAME, "jobs")
    op.create_index(_NAME, "jobs", ["lane", "state", "paused", "priority", "id"])
