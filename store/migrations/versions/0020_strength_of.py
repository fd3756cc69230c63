"""A version may be another one's LoRA at another strength."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column("version", sa.Column("strength_of", sa.Integer(), nullable=True))
