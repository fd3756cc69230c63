"""Pages and programs may ask the worker for scores: of a folder, and of one picture."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

KINDS = ("retrain", "draw", "sort", "score")


def upgrade() -> None:
    with op.batch_alter_table("task") as batch:
        batch.drop_constraint("taskkind_word", type_="check")
        batch.create_check_constraint("taskkind_word", sa.column("kind").in_(KINDS))
