"""A worker may wait for its device, and says who has it."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

STATES = ("starting", "drawing", "resting", "no_room", "waiting")


def upgrade() -> None:
    # Workers tell what they do every few seconds, so their rows need not outlast the table.
    op.drop_table("worker")
    state = sa.Enum(*STATES, name="workerstate_word", native_enum=False, create_constraint=True, length=16)
    op.create_table(
        "worker",
        sa.Column("name", sa.String(length=80), primary_key=True),
        sa.Column("host", sa.String(length=80), nullable=False),
        sa.Column("device", sa.String(length=120), nullable=False),
        sa.Column("leads", sa.Boolean(), nullable=False),
        sa.Column("state", state, nullable=False),
        sa.Column("waits_for", sa.String(length=300), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("drawn", sa.Integer(), nullable=False),
        sa.Column("per_minute", sa.Float(), nullable=True),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("since", "started_at", "seen_at")),
    )
    op.create_index("ix_worker_seen_at", "worker", ["seen_at"])
