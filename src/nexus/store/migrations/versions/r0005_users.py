"""Users, their sessions and tokens. Additive: a gateway of the version before goes on beside it.

That one knows of no users, and lets in the tokens of all of them, as their policy was when they were made.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"

_BigInt: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("tokens", sa.Column("user", sa.Text))
    op.create_index("ix_tokens_user", "tokens", ["user"])
    op.create_table(
        "users",
        sa.Column("seq", _BigInt, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("password", sa.Text),
        sa.Column("issuer", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("signed_in_at", sa.Double),
        sa.Column("deleted_at", sa.Double),
        sa.PrimaryKeyConstraint("seq", name="pk_users"),
        sa.UniqueConstraint("id", name="uq_users_id"),
        sa.UniqueConstraint("name", name="uq_users_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_users_issuer_subject", "users", ["issuer", "subject"], unique=True)
    op.create_table(
        "sessions",
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_sessions"),
    )
    op.create_index("ix_sessions_user", "sessions", ["user"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "attempts",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_attempts"),
    )
    op.create_index("ix_attempts_at", "attempts", ["at"])
    op.create_table(
        "sign_ins",
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_sign_ins"),
    )
    op.create_index("ix_sign_ins_expires_at", "sign_ins", ["expires_at"])


def downgrade() -> None:
    """The tokens of users go with them: without their users nobody could take them back."""
    op.drop_table("sign_ins")
    op.drop_table("attempts")
    op.drop_table("sessions")
    op.drop_table("users")
    tokens = sa.table("tokens", sa.column("user"))
    op.execute(sa.delete(tokens).where(tokens.c.user.is_not(None)))
    op.drop_index("ix_tokens_user", "tokens")
    op.drop_column("tokens", "user")
