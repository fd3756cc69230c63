"""Controls, repeats, what is decided about raters and the pool, invitations, the shuffled queue."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"

ORIGINS = ("sampled", "evaluation", "control")
VERDICTS = ("reject", "keep", "skip", "undo")
ROLES = ("rater", "curator", "admin")


def upgrade() -> None:
    _change_the_images()
    _change_the_raters()
    _change_the_indexes()
    _make_tables()
    _make_reasons_and_marks()


def _change_the_images() -> None:
    with op.batch_alter_table("image") as batch:
        batch.add_column(sa.Column("is_disputed", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("overlap", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("shuffle", sa.Integer(), nullable=False, server_default="0"))
        batch.drop_constraint("origin_word", type_="check")
        batch.create_check_constraint("origin_word", sa.column("origin").in_(ORIGINS))
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    place = "abs(random()) % 2147483648" if is_sqlite else "floor(random() * 2147483648)::integer"
    op.execute(f"UPDATE image SET shuffle = {place}")
    op.create_index("ix_image_shuffled", "image", ["is_queued", "shuffle"])
    op.create_index("ix_image_disputed", "image", ["is_queued", "is_disputed", "shuffle"])


def _change_the_raters() -> None:
    with op.batch_alter_table("rater") as batch:
        batch.add_column(sa.Column("role", _words("personrole_word", *ROLES), nullable=False, server_default="rater"))
        batch.add_column(sa.Column("is_paused", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("is_excluded", sa.Boolean(), nullable=False, server_default=sa.false()))


def _change_the_indexes() -> None:
    op.drop_index("ix_vote_image_rater", "vote")
    op.create_index("ix_vote_image_rater", "vote", ["image_id", "rater_id", "id", "verdict"])
    op.drop_index("ix_lease_rater_id", "lease")
    op.create_index("ix_lease_held", "lease", ["rater_id", "expires_at"])


def _make_tables() -> None:
    op.create_table(
        "control",
        sa.Column("image_id", sa.Integer(), sa.ForeignKey("image.id"), primary_key=True),
        sa.Column("answer", _words("verdict_word", *VERDICTS), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "repeat",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("rater_id", sa.Integer(), sa.ForeignKey("rater.id"), nullable=False),
        sa.Column("image_id", sa.Integer(), sa.ForeignKey("image.id"), nullable=False),
        sa.Column("first_vote_id", sa.Integer(), sa.ForeignKey("vote.id"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("rater_id", "image_id"),
    )
    _make_events("rater_event", "rater", "rateraction_word", "pause", "resume", "exclude", "include", "role")
    _make_events("pool_event", "image", "poolaction_word", "exclude", "restore")
    op.create_table(
        "invitation",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", _words("personrole_word", *ROLES), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
    )


def _make_events(table: str, about: str, check: str, *actions: str) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column(f"{about}_id", sa.Integer(), sa.ForeignKey(f"{about}.id"), nullable=False),
        sa.Column("action", _words(check, *actions), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(f"ix_{table}_{about}_id", table, [f"{about}_id"])


def _words(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=16)


# ---- reasons and marks of votes, where an earlier migration did not make them yet ---------------------------------

REASONS = (
    "hands", "anatomy", "text", "colour", "prompt not followed", "artefact", "composition", "unsafe", "other",
)  # fmt: skip


def _make_reasons_and_marks() -> None:
    tables = sa.inspect(op.get_bind()).get_table_names()
    if "vote_reason" not in tables:
        op.create_table(
            "vote_reason",
            sa.Column("vote_id", sa.Integer(), sa.ForeignKey("vote.id"), primary_key=True),
            sa.Column(
                "reason",
                sa.Enum(*REASONS, name="reason_word", native_enum=False, create_constraint=True, length=19),
                primary_key=True,
            ),
        )
    if "mark" not in tables:
        op.create_table(
            "mark",
            sa.Column("id", sa.Integer(), primary_key=True),
            sa.Column("vote_id", sa.Integer(), sa.ForeignKey("vote.id"), nullable=False),
            sa.Column("x", sa.Float(), nullable=False),
            sa.Column("y", sa.Float(), nullable=False),
        )
        op.create_index("ix_mark_vote_id", "mark", ["vote_id"])
