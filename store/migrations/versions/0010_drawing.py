"""Pictures remember everything about how they were drawn."""

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    pass
