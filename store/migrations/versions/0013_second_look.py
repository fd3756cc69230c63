"""Votes that look like slips are remembered, so that somebody looks again."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("repeat", sa.Column("is_look", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "second_look",
        sa.Column("vote_id", sa.Integer(), sa.ForeignKey("vote.id"), primary_key=True, autoincrement=False),
        sa.Column("image_id", sa.Integer(), sa.ForeignKey("image.id"), nullable=False),
        sa.Column("rater_id", sa.Integer(), sa.ForeignKey("rater.id"), nullable=False),
        sa.Column("version", sa.Integer(), sa.ForeignKey("version.number"), nullable=False),
        sa.Column("chance", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    for column in ("image_id", "rater_id", "version"):
        op.create_index(f"ix_second_look_{column}", "second_look", [column])
