"""Say which waiting jobs can be computed together."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INDEX = "ix_jobs_batch"


def upgrade() -> None:
    """The jobs there are run one by one."""
    op.add_column("jobs", sa.Column("batch_key", sa.String(length=64)))
    some = sa.text("batch_key IS NOT NULL")
    columns: list[str | sa.TextClause] = ["batch_key", "state", sa.text("priority DESC"), "id"]
    op.create_index(_INDEX, "jobs", columns, postgresql_where=some, sqlite_where=some)


def downgrade() -> None:
    """All jobs run one by one."""
    op.drop_index(_INDEX, "jobs")
    op.drop_column("jobs", "batch_key")
