"""The store has an id, which its pictures and versions carry too."""

from datetime import UTC, datetime
from hashlib import sha256
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    store = op.create_table(
        "store",
        sa.Column("id", sa.String(length=32), primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.bulk_insert(store, [{"id": _own_id(), "created_at": datetime.now(UTC)}])


def _own_id() -> str:
    """The same for every copy of one store, so that a copy from before this schema still knows its folders."""
    began = op.get_bind().execute(sa.text("SELECT base_sha256, created_at FROM version WHERE number = 0")).first()
    return uuid4().hex if began is None else sha256(f"{began.base_sha256} {began.created_at}".encode()).hexdigest()[:32]
