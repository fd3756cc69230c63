"""Evaluation sets, guardrail measures, counters kept beside the votes, tasks for the worker, webhook deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

OLD_ACTIONS = ("begin", "publish", "promote", "roll_back")
ACTIONS = (*OLD_ACTIONS, "refuse", "no_difference", "withdraw", "retrain", "stop")


def upgrade() -> None:
    _widen_the_actions()
    op.add_column("run", sa.Column("stop_reason", sa.String(), nullable=True))
    _make_evaluation_tables()
    _make_counters()
    _make_task_tables()
    _count_the_votes()


def _words(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=16)


def _widen_the_actions() -> None:
    with op.batch_alter_table("alias_event") as batch:
        batch.drop_constraint("action_word", type_="check")
        batch.create_check_constraint("action_word", sa.column("action").in_(ACTIONS))


def _make_evaluation_tables() -> None:
    op.create_table(
        "evaluation_set",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False, unique=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "evaluation_pair",
        sa.Column("set_id", sa.Integer(), sa.ForeignKey("evaluation_set.id"), primary_key=True),
        sa.Column("pair_hash", sa.String(), primary_key=True),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("prompt_id", sa.Integer(), sa.ForeignKey("prompt.id"), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_evaluation_pair_pair_hash", "evaluation_pair", ["pair_hash"])
    op.create_index("ix_evaluation_pair_prompt_seed", "evaluation_pair", ["prompt_id", "seed"])
    op.create_table(
        "image_measure",
        sa.Column("image_id", sa.Integer(), sa.ForeignKey("image.id"), primary_key=True),
        sa.Column("brightness", sa.Float(), nullable=False),
        sa.Column("saturation", sa.Float(), nullable=False),
        sa.Column("contrast", sa.Float(), nullable=False),
        sa.Column("thumbnail", sa.String(), nullable=False),
        sa.Column("prompt_score", sa.Float(), nullable=True),
    )


def _make_counters() -> None:
    op.create_table(
        "word",
        sa.Column("image_id", sa.Integer(), sa.ForeignKey("image.id"), primary_key=True),
        sa.Column("rater_id", sa.Integer(), sa.ForeignKey("rater.id"), primary_key=True),
        sa.Column("verdict", _words("verdict_word", "reject", "keep", "skip", "undo"), nullable=False),
        sa.Column("vote_id", sa.Integer(), sa.ForeignKey("vote.id"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
    )
    op.create_index("ix_word_rater", "word", ["rater_id", "vote_id"])
    op.create_table(
        "image_tally",
        sa.Column("image_id", sa.Integer(), sa.ForeignKey("image.id"), primary_key=True),
        sa.Column("rejects", sa.Integer(), nullable=False),
        sa.Column("keeps", sa.Integer(), nullable=False),
    )
    op.create_table(
        "version_tally",
        sa.Column("version", sa.Integer(), sa.ForeignKey("version.number"), primary_key=True),
        sa.Column("origin", _words("origin_word", "sampled", "evaluation", "control"), primary_key=True),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.Column("disputed", sa.Integer(), nullable=False),
        sa.Column("vote_pairs", sa.Integer(), nullable=False),
        sa.Column("agreeing", sa.Integer(), nullable=False),
    )
    op.create_table(
        "vote_count",
        sa.Column("version", sa.Integer(), sa.ForeignKey("version.number"), primary_key=True),
        sa.Column("origin", _words("origin_word", "sampled", "evaluation", "control"), primary_key=True),
        sa.Column("rater_id", sa.Integer(), sa.ForeignKey("rater.id"), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("rejects", sa.Integer(), nullable=False),
        sa.Column("keeps", sa.Integer(), nullable=False),
    )
    op.create_index("ix_vote_count_rater_id", "vote_count", ["rater_id"])
    op.create_table(
        "new_rejects",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("version", sa.Integer(), sa.ForeignKey("version.number"), nullable=True),
        sa.Column("floor", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
    )


def _make_task_tables() -> None:
    op.create_table(
        "task",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("kind", _words("taskkind_word", "retrain", "draw"), nullable=False),
        sa.Column("status", _words("taskstatus_word", "waiting", "running", "done", "failed"), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_task_status", "task", ["status", "id"])
    op.create_table(
        "delivery",
        sa.Column("key", sa.String(length=40), primary_key=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("is_delivered", sa.Boolean(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )


def _count_the_votes() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    day = "date(received_at)" if is_sqlite else "(received_at AT TIME ZONE 'UTC')::date"
    op.execute(
        f"""INSERT INTO word (image_id, rater_id, verdict, vote_id, day)
        SELECT image_id, rater_id, verdict, id, {day} FROM vote
        WHERE id IN (SELECT max(id) FROM vote GROUP BY image_id, rater_id)"""
    )
    op.execute(
        """INSERT INTO image_tally (image_id, rejects, keeps)
        SELECT image_id, sum(CASE verdict WHEN 'reject' THEN 1 ELSE 0 END),
               sum(CASE verdict WHEN 'keep' THEN 1 ELSE 0 END) FROM word GROUP BY image_id"""
    )
    op.execute(
        """INSERT INTO version_tally (version, origin, rejected, kept, disputed, vote_pairs, agreeing)
        SELECT version, origin, sum(CASE WHEN rejects > keeps THEN 1 ELSE 0 END),
               sum(CASE WHEN rejects < keeps THEN 1 ELSE 0 END),
               sum(CASE WHEN rejects = keeps AND keeps > 0 THEN 1 ELSE 0 END),
               sum((rejects + keeps) * (rejects + keeps - 1) / 2),
               sum((rejects * (rejects - 1) + keeps * (keeps - 1)) / 2)
        FROM image_tally JOIN image ON image.id = image_tally.image_id GROUP BY version, origin"""
    )
    op.execute(
        """INSERT INTO vote_count (version, origin, rater_id, day, rejects, keeps)
        SELECT version, origin, rater_id, day, sum(CASE verdict WHEN 'reject' THEN 1 ELSE 0 END),
               sum(CASE verdict WHEN 'keep' THEN 1 ELSE 0 END)
        FROM word JOIN image ON image.id = word.image_id GROUP BY version, origin, rater_id, day"""
    )
    op.execute(
        """INSERT INTO new_rejects (id, version, floor, count)
        SELECT 1, (SELECT max(number) FROM version), 0, count(*)
        FROM image_tally JOIN image ON image.id = image_tally.image_id
        WHERE origin = 'sampled' AND rejects > keeps AND image_id NOT IN (
            SELECT image_id FROM manifest_item JOIN version ON version.manifest_id = manifest_item.manifest_id
            WHERE version.number = (SELECT max(number) FROM version))"""
    )
