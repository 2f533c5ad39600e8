"""Tokens, and who did what to them. Additive: a gateway of the version before goes on beside it."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"

_BigInt: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_LIVING: Final = sa.text("revoked_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "tokens",
        sa.Column("seq", _BigInt, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("last_used_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
        sa.Column("source", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_tokens"),
        sa.UniqueConstraint("id", name="uq_tokens_id"),
        sa.UniqueConstraint("sha256", name="uq_tokens_sha256"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_tokens_living_name", "tokens", ["name"], unique=True, sqlite_where=_LIVING, postgresql_where=_LIVING
    )
    op.create_table(
        "audit",
        sa.Column("seq", _BigInt, autoincrement=True, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False, server_default=sa.text("'{}'")),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_subject_seq", "audit", ["subject", "seq"])
    versions = op.create_table(
        "versions",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", _BigInt, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_versions"),
    )
    op.bulk_insert(versions, [{"name": "tokens", "version": 0}])


def downgrade() -> None:
    op.drop_table("versions")
    op.drop_table("audit")
    op.drop_table("tokens")
