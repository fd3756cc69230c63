"""Programs have tokens; the store knows the hash of each."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

ROLES = ("rater", "curator", "admin")


def upgrade() -> None:
    role = sa.Enum(*ROLES, name="personrole_word", native_enum=False, create_constraint=True, length=16)
    op.create_table(
        "token",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", role, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("ix_token_sha256", "token", ["sha256"], unique=True)
