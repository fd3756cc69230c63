"""Pictures have a random public number, which tells raters nothing; damaged files are remembered; `is_disputed`, which
nothing reads, is gone."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

FIRST, END = 2**32, 2**53
CHUNK = 10_000


def upgrade() -> None:
    op.drop_index("ix_image_disputed", "image")
    op.drop_column("image", "is_disputed")
    op.add_column("lease", sa.Column("knows_row", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(sa.update(sa.table("lease", sa.column("knows_row"))).values(knows_row=sa.true()))
    for table in ("image", "repeat"):
        op.add_column(table, sa.Column("number", sa.BigInteger(), nullable=False, server_default="0"))
        _number_rows(table)
        op.create_index(f"ix_{table}_number", table, ["number"], unique=True)
    op.create_table(
        "damage",
        sa.Column("image_id", sa.Integer(), sa.ForeignKey("image.id"), primary_key=True),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
    )


def _number_rows(name: str) -> None:
    """Gives every row a random number, in no order."""
    table = sa.table(name, sa.column("id", sa.Integer), sa.column("number", sa.BigInteger))
    connection, given = op.get_bind(), set[int]()
    ids = list(connection.execute(sa.select(table.c.id)).scalars())
    change = sa.update(table).where(table.c.id == sa.bindparam("row")).values(number=sa.bindparam("new"))
    for start in range(0, len(ids), CHUNK):
        rows = []
        for row in ids[start : start + CHUNK]:
            while (new := FIRST + secrets.randbelow(END - FIRST)) in given:
                pass
            given.add(new)
            rows.append({"row": row, "new": new})
        connection.execute(change, rows)
