"""Count the frames of pictures: a clip has more than one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every picture so far stands still."""
    op.add_column("images", sa.Column("frames", sa.Integer, nullable=False, server_default="1"))


def downgrade() -> None:
    """Clips stay, as pictures that no job can read."""
    op.drop_column("images", "frames")
