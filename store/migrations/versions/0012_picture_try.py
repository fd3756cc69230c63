"""Pictures remember how often they were drawn, and the check's score of each drawing."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "picture_try",
        sa.Column("image_id", sa.Integer(), sa.ForeignKey("image.id"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("is_kept", sa.Boolean(), nullable=False),
    )
