"""A prompt may come more often than others."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("prompt", sa.Column("weight", sa.Integer(), nullable=False, server_default="1"))
