"""Keep which part of its set a member belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The sets there are split when they are first asked for their parts."""
    op.add_column("datasets", sa.Column("is_split", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("dataset_members", sa.Column("part", sa.String(length=16), nullable=True))


def downgrade() -> None:
    """The parts can be computed again."""
    op.drop_column("dataset_members", "part")
    op.drop_column("datasets", "is_split")
