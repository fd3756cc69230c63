"""When each token was last used."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column("token", sa.Column("used_at", sa.DateTime(timezone=True), nullable=True))
