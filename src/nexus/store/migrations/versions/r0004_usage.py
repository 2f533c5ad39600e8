"""What tokens have used of their budgets. Additive: a gateway of the version before goes on beside it."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"

_BigInt: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "usage",
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("starts_at", sa.Double, nullable=False),
        sa.Column("gateway", sa.Text, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
        sa.Column("requests", _BigInt, nullable=False),
        sa.Column("tokens", _BigInt, nullable=False),
        sa.Column("engine_ms", _BigInt, nullable=False),
        sa.Column("version", _BigInt, nullable=False),
        sa.PrimaryKeyConstraint("token", "period", "starts_at", "gateway", name="pk_usage"),
    )
    op.create_index("ix_usage_version", "usage", ["version"])
    op.execute("INSERT INTO versions (name, version) VALUES ('usage', 0)")


def downgrade() -> None:
    op.execute("DELETE FROM versions WHERE name = 'usage'")
    op.drop_table("usage")
