"""Pictures have a random public number, which tells raters nothing."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    pass
