"""Pictures may be drawn and chosen for what their votes teach: a fourth origin."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

ORIGINS = ("sampled", "asked", "evaluation", "control")


def upgrade() -> None:
    for table in ("image", "claim", "version_tally", "vote_count"):
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint("origin_word", type_="check")
            batch.create_check_constraint("origin_word", sa.column("origin").in_(ORIGINS))
    asked = sa.text("origin = 'asked'")
    op.create_index("ix_image_asked", "image", ["is_queued", "id"], sqlite_where=asked, postgresql_where=asked)
