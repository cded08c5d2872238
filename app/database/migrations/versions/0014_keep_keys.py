"""Keep the idempotency keys of all requests that make or change something."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("images", "networks", "datasets")
SUBJECTS = {"job_id": "jobs.id", "batch_id": "batches.id", "dataset_id": "datasets.id"}


def upgrade() -> None:
    """What there is was made without a key, but for jobs and batches, which have theirs."""
    for table in TABLES:
        op.add_column(table, sa.Column("idempotency_key", sa.String(length=255)))
        op.add_column(table, sa.Column("payload_hash", sa.String(length=64)))
        op.create_index(f"ix_{table}_idempotency_key", table, ["idempotency_key"], unique=True)
    op.create_table(
        "keyed_changes",
        sa.Column("idempotency_key", sa.String(length=255), primary_key=True),
        sa.Column("payload_hash", sa.String(length=64), nullable=False),
        *(
            sa.Column(name, sa.String(length=36), sa.ForeignKey(target, ondelete="CASCADE"))
            for name, target in SUBJECTS.items()
        ),
        sa.Column("answer", sa.JSON()),
    )
    for name in SUBJECTS:
        op.create_index(f"ix_keyed_changes_{name}", "keyed_changes", [name])


def downgrade() -> None:
    """Keys are forgotten, but for those of jobs and batches."""
    op.drop_table("keyed_changes")
    for table in TABLES:
        op.drop_index(f"ix_{table}_idempotency_key", table)
        op.drop_column(table, "payload_hash")
        op.drop_column(table, "idempotency_key")
