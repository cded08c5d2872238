"""Keep batches, and share lanes among them and single jobs by turns."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Jobs that wait keep their order: all have turn 0, and are then in the order of their ids."""
    op.drop_index("ix_jobs_batch", "jobs")
    op.drop_index("ix_jobs_claim", "jobs")
    op.execute("ALTER TABLE jobs RENAME COLUMN batch_key TO stack_key")
    # A message to a worker says that a lane has work, and not which.
    op.drop_column("jobs", "hinted_at")
    op.add_column("jobs", sa.Column("batch_line", sa.Integer()))
    op.add_column("jobs", sa.Column("custom_id", sa.String(length=200)))
    no = sa.text("false")
    op.add_column("jobs", sa.Column("reproducible", sa.Boolean(), nullable=False, server_default=no))
    op.add_column("jobs", sa.Column("flow", sa.String(length=36), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("turn", sa.Float(precision=53), nullable=False, server_default="0"))
    claim: list[str | sa.TextClause] = ["lane", "state", "paused", sa.text("priority DESC"), "turn", "id"]
    op.create_index("ix_jobs_claim", "jobs", claim)
    stack: list[str | sa.TextClause] = ["stack_key", "paused", sa.text("priority DESC"), "turn", "id"]
    is_queued = "state = 'queued'"
    _create_partial_index("ix_jobs_stack", stack, f"stack_key IS NOT NULL AND {is_queued}")
    flow: list[str | sa.TextClause] = ["flow", "lane", "priority", "paused", "turn"]
    _create_partial_index("ix_jobs_flow", flow, is_queued)
    op.create_index("ix_jobs_batch_id_id", "jobs", ["batch_id", "id"])
    is_entry = "batch_line IS NOT NULL"
    _create_partial_index("ix_jobs_batch_line", ["batch_id", "batch_line"], is_entry, unique=True)
    _create_partial_index("ix_jobs_batch_state", ["batch_id", "state", "batch_line"], is_entry)
    has_ended = f"{is_entry} AND finished_at IS NOT NULL"
    _create_partial_index("ix_jobs_batch_ends", ["batch_id", "finished_at", "id"], has_ended)
    _create_partial_index("ix_jobs_measured", ["kind", "network", "finished_at"], "state = 'succeeded'")
    op.create_table(
        "levels",
        sa.Column("lane", sa.String(length=16), primary_key=True),
        sa.Column("priority", sa.Integer(), primary_key=True),
        sa.Column("turn", sa.Float(precision=53), nullable=False),
        sa.Column("claimed_at", sa.Float(precision=53), nullable=False),
    )
    # Those of the jobs that wait.
    op.execute(
        "INSERT INTO levels (lane, priority, turn, claimed_at) SELECT DISTINCT lane, priority, 0, 0 FROM jobs"
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.String(length=36), primary_key=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("matrix", sa.JSON()),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("reproducible", sa.Boolean(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("next_line", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("spool", sa.String(length=255), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("applied", sa.Integer(), nullable=False),
        sa.Column("retry_line", sa.Integer()),
        sa.Column("worker_id", sa.String(length=128)),
        sa.Column("lease_until", sa.Float(precision=53)),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("finished_at", sa.Float(precision=53)),
        sa.Column("counts", sa.JSON()),
        sa.Column("cancel_requested_at", sa.Float(precision=53)),
        sa.Column("delete_requested_at", sa.Float(precision=53)),
        sa.Column("idempotency_key", sa.String(length=255), unique=True),
        sa.Column("payload_hash", sa.String(length=64)),
    )
    op.create_table(
        "batch_refusals",
        sa.Column(
            "batch_id",
            sa.String(length=36),
            sa.ForeignKey("batches.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("line", sa.Integer(), primary_key=True),
        sa.Column("custom_id", sa.String(length=200)),
        sa.Column("error", sa.JSON(), nullable=False),
    )


def _create_partial_index(
    name: str, columns: list[str | sa.TextClause], where: str, *, unique: bool = False
) -> None:
    some = sa.text(where)
    op.create_index(name, "jobs", columns, unique=unique, postgresql_where=some, sqlite_where=some)


def downgrade() -> None:
    """Batches are forgotten; their jobs stay, and wait in the order of their ids."""
    for table in ("batch_refusals", "batches", "levels"):
        op.drop_table(table)
    others = ("measured", "batch_ends", "batch_state", "batch_line", "batch_id_id")
    for index in (*others, "flow", "stack", "claim"):
        op.drop_index(f"ix_jobs_{index}", "jobs")
    for column in ("turn", "flow", "reproducible", "custom_id", "batch_line"):
        op.drop_column("jobs", column)
    hinted = sa.Column("hinted_at", sa.Float(precision=53), nullable=False, server_default="0")
    op.add_column("jobs", hinted)
    op.execute("ALTER TABLE jobs RENAME COLUMN stack_key TO batch_key")
    claim: list[str | sa.TextClause] = ["lane", "state", "paused", sa.text("priority DESC"), "id"]
    op.create_index("ix_jobs_claim", "jobs", claim)
    key: list[str | sa.TextClause] = ["batch_key", "state", sa.text("priority DESC"), "id"]
    _create_partial_index("ix_jobs_batch", key, "batch_key IS NOT NULL")
