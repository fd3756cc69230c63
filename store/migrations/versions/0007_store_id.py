"""The store has an id, which its pictures and versions carry too."""

from datetime import UTC, datetime
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
    op.bulk_insert(store, [{"id": uuid4().hex, "created_at": datetime.now(UTC)}])
