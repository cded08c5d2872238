"""Rename the columns that say which worker runs a job, and how many attempts were lost."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_RENAMED = (
    ("jobs", "owner", "worker_id"),
    ("jobs", "strikes", "lost_attempts"),
    ("workers", "owner", "worker_id"),
)


def upgrade() -> None:
    """In place: Alembic's batch mode would rebuild the table of jobs, and SQLite drop what refers to it."""
    for table, old, new in _RENAMED:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")


def downgrade() -> None:
    """The names of before."""
    for table, old, new in _RENAMED:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {new} TO {old}")
