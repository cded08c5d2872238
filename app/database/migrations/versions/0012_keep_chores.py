"""Keep when what is done from time to time was last begun, and find old jobs by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of chores and the index of jobs that ended."""
    op.create_table(
        "chores",
        sa.Column("name", sa.String(length=32), primary_key=True),
        sa.Column("begun_at", sa.Float(precision=53), nullable=False),
    )
    alone = sa.text("batch_id IS NULL AND finished_at IS NOT NULL")
    columns = ["batch_id", "finished_at", "id"]
    op.create_index("ix_jobs_ended", "jobs", columns, postgresql_where=alone, sqlite_where=alone)


def downgrade() -> None:
    """Forget both."""
    op.drop_index("ix_jobs_ended", "jobs")
    op.drop_table("chores")
