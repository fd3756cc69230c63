"""Versions have a check, and pictures the scores that checks gave them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("version", sa.Column("check", sa.JSON(), nullable=True))
    op.create_table(
        "picture_score",
        sa.Column("image_id", sa.Integer(), sa.ForeignKey("image.id"), primary_key=True),
        sa.Column("version", sa.Integer(), sa.ForeignKey("version.number"), primary_key=True),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("is_out_of_sample", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_picture_score_version", "picture_score", ["version"])
