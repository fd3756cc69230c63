"""A curator's verdict may stand in place of the votes'."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

ACTIONS = ("exclude", "restore", "reject", "keep", "follow")
VERDICTS = ("reject", "keep", "skip", "undo")


def upgrade() -> None:
    with op.batch_alter_table("pool_event") as batch:
        batch.drop_constraint("poolaction_word", type_="check")
        batch.create_check_constraint("poolaction_word", sa.column("action").in_(ACTIONS))
    with op.batch_alter_table("image_tally") as batch:
        batch.add_column(sa.Column("ruled", sa.String(16), nullable=True))
        batch.create_check_constraint("verdict_word", sa.column("ruled").in_(VERDICTS))
