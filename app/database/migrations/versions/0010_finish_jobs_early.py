"""Say when a job was asked to end early."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No job has been asked."""
    op.add_column("jobs", sa.Column("finish_requested_at", sa.Float(precision=53)))


def downgrade() -> None:
    """Those that were asked go on to their end."""
    op.drop_column("jobs", "finish_requested_at")
