"""Workers say that they are there and what they do; a retrain keeps what each of its stages took."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

STATES = ("starting", "drawing", "resting", "no_room")


def upgrade() -> None:
    state = sa.Enum(*STATES, name="workerstate_word", native_enum=False, create_constraint=True, length=16)
    op.create_table(
        "worker",
        sa.Column("name", sa.String(length=80), primary_key=True),
        sa.Column("host", sa.String(length=80), nullable=False),
        sa.Column("device", sa.String(length=120), nullable=False),
        sa.Column("leads", sa.Boolean(), nullable=False),
        sa.Column("state", state, nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("drawn", sa.Integer(), nullable=False),
        sa.Column("per_minute", sa.Float(), nullable=True),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("since", "started_at", "seen_at")),
    )
    op.create_index("ix_worker_seen_at", "worker", ["seen_at"])
    for column in ("step", "steps"):  # a worker's row says how far it is
        op.drop_column("claim", column)
    op.create_table(
        "run_progress",
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("run.id"), primary_key=True),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("stages", "curve", "strengths")),
    )
