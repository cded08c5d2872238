"""Keep networks that were imported or trained, and say which network a job uses."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The jobs there are name their network in their params alone."""
    op.create_table(
        "networks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_networks")),
        sa.UniqueConstraint("name", name=op.f("uq_networks_name")),
    )
    op.create_index(op.f("ix_networks_sha256"), "networks", ["sha256"])
    op.add_column("jobs", sa.Column("network", sa.String(length=64)))
    op.add_column("jobs", sa.Column("network_sha256", sa.String(length=64)))
    op.create_index(op.f("ix_jobs_network_sha256_state"), "jobs", ["network_sha256", "state"])


def downgrade() -> None:
    """Networks are gone; their files stay."""
    op.drop_index(op.f("ix_jobs_network_sha256_state"), "jobs")
    op.drop_column("jobs", "network_sha256")
    op.drop_column("jobs", "network")
    op.drop_table("networks")
