"""Claims of drawing workers, so that several of them never draw the same picture."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "claim",
        sa.Column("key", sa.String(length=64), primary_key=True),
        sa.Column("worker", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), sa.ForeignKey("version.number"), nullable=False),
        sa.Column(
            "origin",
            sa.Enum(
                "sampled",
                "evaluation",
                "control",
                name="origin_word",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_claim_worker", "claim", ["worker"])
