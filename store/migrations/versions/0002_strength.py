"""Versions remember how their strength was chosen."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("version", sa.Column("strength_curve", sa.JSON(), nullable=False, server_default="[]"))
