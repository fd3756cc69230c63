"""An older evaluation set can be used again; who chose which set is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "evaluation_use",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("set_id", sa.Integer(), sa.ForeignKey("evaluation_set.id"), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_evaluation_use_set_id", "evaluation_use", ["set_id"])
    op.execute(
        """INSERT INTO evaluation_use (set_id, "by", created_at)
        SELECT id, '', created_at FROM evaluation_set ORDER BY id"""
    )
