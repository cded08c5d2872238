"""Keep of jobs and batches by which request they came, for the logs of workers."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of those that there are nobody knows."""
    for table in ("jobs", "batches"):
        op.add_column(table, sa.Column("request_id", sa.String(length=128)))


def downgrade() -> None:
    """Forget them."""
    for table in ("jobs", "batches"):
        op.drop_column(table, "request_id")
