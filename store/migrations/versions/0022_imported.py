"""Pictures of other programs come in: a fifth origin, what their files said, and which base their models are of."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

ORIGINS = ("sampled", "asked", "imported", "evaluation", "control")


def upgrade() -> None:
    for table in ("image", "claim", "version_tally", "vote_count"):
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint("origin_word", type_="check")
            batch.create_check_constraint("origin_word", sa.column("origin").in_(ORIGINS))
    texts = ("source", "stamp", "tool", "seed", "model", "model_hash", "base")
    op.create_table(
        "imported_picture",
        sa.Column("image_id", sa.Integer(), sa.ForeignKey("image.id"), primary_key=True),
        sa.Column("pixels_sha256", sa.String(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in texts),
        sa.Column("marks", sa.JSON(), nullable=False),
    )
    op.create_index("ix_imported_picture_pixels_sha256", "imported_picture", ["pixels_sha256"], unique=True)
    op.create_index("ix_imported_picture_source", "imported_picture", ["source"])
    op.create_table(
        "model_base",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("base", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
