"""Say which networks a job uses beside its first."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The jobs there are find the further ones by their names."""
    op.add_column("jobs", sa.Column("further_networks", sa.JSON(none_as_null=True)))


def downgrade() -> None:
    """They do so again."""
    op.drop_column("jobs", "further_networks")
