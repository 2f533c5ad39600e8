"""Which job an artifact belongs to. Additive: a gateway of the version before goes on beside it."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"


def upgrade() -> None:
    op.add_column("files", sa.Column("job", sa.Text))
    op.create_index("ix_files_job", "files", ["job"])


def downgrade() -> None:
    op.drop_index("ix_files_job", "files")
    op.drop_column("files", "job")
