"""The store has an id, which its pictures and versions carry too."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    pass
