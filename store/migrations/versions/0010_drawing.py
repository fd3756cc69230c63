"""Pictures remember everything about how they were drawn; versions, that their file is damaged."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

COLUMNS = ("num_inference_steps", "width", "height")


def upgrade() -> None:
    op.add_column("version", sa.Column("damage", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "conditions",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("body", sa.String(), nullable=False, unique=True),
    )
    op.add_column("image", sa.Column("conditions_id", sa.Integer(), nullable=True))
    _record_known()


def _record_known() -> None:
    """What the pictures' own rows say of their conditions: steps and size."""
    connection = op.get_bind()
    names = [sa.column(name, sa.Integer) for name in (*COLUMNS, "conditions_id")]
    image = sa.table("image", *names)
    conditions = sa.table("conditions", sa.column("id", sa.Integer), sa.column("body", sa.String))
    own = [image.c[name] for name in COLUMNS]
    for row in connection.execute(sa.select(*own).distinct().order_by(*own)).all():
        body = json.dumps(dict(zip(COLUMNS, row, strict=True)), sort_keys=True)
        connection.execute(sa.insert(conditions).values(body=body))
        wanted = sa.select(conditions.c.id).where(conditions.c.body == body).scalar_subquery()
        same = [column == value for column, value in zip(own, row, strict=True)]
        connection.execute(sa.update(image).where(*same).values(conditions_id=wanted))
