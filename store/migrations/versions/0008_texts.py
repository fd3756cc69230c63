"""Names and prompts are NFC; doubles are merged; prompts can be paused and removed."""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op

from store.texts import name_key, on_one_line, with_single_spaces

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    _make_columns()
    _merge_prompts()
    _make_imports()
    _merge_raters()
    op.create_index("ix_rater_name_key", "rater", ["name_key"], unique=True)


def _make_columns() -> None:
    op.create_table(
        "prompt_import",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column("rater", sa.Column("name_key", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("prompt") as batch:
        batch.add_column(sa.Column("import_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("is_removed", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("read_characters", sa.Integer(), nullable=True))
        batch.create_foreign_key("fk_prompt_import", "prompt_import", ["import_id"], ["id"])
    op.create_index("ix_prompt_import_id", "prompt", ["import_id"])


def _run(statement: str, **values: Any) -> Any:
    return op.get_bind().execute(sa.text(statement), values)


def _doubles(rows: list[Any], key: Any) -> list[list[Any]]:
    groups = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return list(groups.values())


def _merge_prompts() -> None:
    rows = _run("SELECT id, text, is_active FROM prompt ORDER BY id").all()
    for kept, *others in _doubles(rows, lambda row: with_single_spaces(row.text)):
        text = on_one_line(kept.text)
        if not others and text == kept.text:
            continue
        for other in others:
            for table in ("image", "evaluation_pair"):
                _run(f"UPDATE {table} SET prompt_id = :kept WHERE prompt_id = :other", kept=kept.id, other=other.id)
            _run("DELETE FROM prompt WHERE id = :other", other=other.id)
        is_active = any(row.is_active for row in (kept, *others))
        values = {"text": text, "is_active": is_active, "id": kept.id}
        _run("UPDATE prompt SET text = :text, is_active = :is_active WHERE id = :id", **values)
        _name_the_pairs(kept.id, text)


def _name_the_pairs(prompt_id: int, text: str) -> None:
    """Gives the pairs of a prompt their new hashes; of two that became one, the first stays."""
    where = "WHERE prompt_id = :id ORDER BY set_id, ordinal"
    pairs = _run(f"SELECT set_id, ordinal, seed FROM evaluation_pair {where}", id=prompt_id).all()
    of_pair = "WHERE set_id = :set_id AND ordinal = :ordinal"
    for _, *doubles in _doubles(pairs, lambda row: (row.set_id, row.seed)):
        for row in doubles:
            _run(f"DELETE FROM evaluation_pair {of_pair}", set_id=row.set_id, ordinal=row.ordinal)
    for set_id, seed in {(row.set_id, row.seed) for row in pairs}:
        named = sha256(f"{text}\n{seed}".encode()).hexdigest()
        change = (
            "UPDATE evaluation_pair SET pair_hash = :hash WHERE prompt_id = :id AND set_id = :set_id AND seed = :seed"
        )
        _run(change, hash=named, id=prompt_id, set_id=set_id, seed=seed)


def _make_imports() -> None:
    """One import for each source; prompts that only an evaluation set holds belong to none."""
    sources = _run("SELECT source, min(created_at) AS day FROM prompt WHERE is_active GROUP BY source ORDER BY min(id)")
    for source, day in sources.all():
        values = {"source": source, "day": day}
        number = _run(
            "INSERT INTO prompt_import (source, created_at) VALUES (:source, :day) RETURNING id", **values
        ).scalar_one()
        _run("UPDATE prompt SET import_id = :number WHERE source = :source AND is_active", number=number, source=source)


def _merge_raters() -> None:
    """Makes one rater of those whose names have the same key, and counts their votes again."""
    rows = _run("SELECT id, name, role, is_paused, is_excluded FROM rater ORDER BY id").all()
    groups = _doubles(rows, lambda row: name_key(row.name))
    before: dict[int, int] = {}
    for group in groups:
        if len(group) > 1:
            before |= _votes_by_image(row.id for row in group)
        for other in group[1:]:
            _restate_votes(group[0].id, other.id)
            _move_rows(group[0].id, other.id)
        _write_rater(group)
    if len(groups) < len(rows):
        _count_again()
        _queue_again(before)


def _write_rater(group: list[Any]) -> None:
    """One person has the highest role of its doubles, and is paused or excluded when one of them is."""
    kept = group[0]
    name = with_single_spaces(kept.name)[:80]
    _run(
        "UPDATE rater SET name = :name, name_key = :key, role = :role, is_paused = :paused, is_excluded = :excluded "
        "WHERE id = :id",
        id=kept.id,
        name=name,
        key=name_key(kept.name),
        role=max((row.role for row in group), key=("rater", "curator", "admin").index),
        paused=any(row.is_paused for row in group),
        excluded=any(row.is_excluded for row in group),
    )
    for row in group:
        _run("UPDATE invitation SET name = :new WHERE name = :old", new=name, old=row.name)


def _votes_by_image(raters: Iterable[int]) -> dict[int, int]:
    """How many votes count on each image that one of the raters has judged."""
    found: dict[int, int] = {}
    for rater in raters:
        judged = "SELECT image_id, rejects + keeps FROM image_tally WHERE image_id IN "
        judged += "(SELECT image_id FROM vote WHERE rater_id = :rater)"
        found |= {image: votes for image, votes in _run(judged, rater=rater)}
    return found


def _restate_votes(kept: int, other: int) -> None:
    """Repeats the vote that stands on an image where a later row of the double would hide it.

    Of two votes the later one stands; a skip or an undo takes nothing back that the double said.
    """
    newest = "SELECT max(id) FROM vote WHERE rater_id IN (:kept, :other) GROUP BY image_id, rater_id"
    rows = _run(f"SELECT image_id, id, verdict FROM vote WHERE id IN ({newest}) ORDER BY id", kept=kept, other=other)
    for group in _doubles(rows.all(), lambda row: row.image_id):
        decided = [row for row in group if row.verdict in ("reject", "keep")]
        standing = (decided or [row for row in group if row.verdict == "skip"] or group)[-1]
        if standing is group[-1]:
            continue
        columns = "image_id, verdict, page, shown_at, decided_at, received_at"
        again = _run(
            f"INSERT INTO vote (request_id, rater_id, {columns}) SELECT 'again ' || id, :kept, {columns} "
            "FROM vote WHERE id = :id RETURNING id",
            kept=kept,
            id=standing.id,
        ).scalar_one()
        for table, what in (("vote_reason", "reason"), ("mark", "x, y")):
            _run(
                f"INSERT INTO {table} (vote_id, {what}) SELECT :again, {what} FROM {table} WHERE vote_id = :id",
                again=again,
                id=standing.id,
            )


def _move_rows(kept: int, other: int) -> None:
    ids = {"kept": kept, "other": other}
    theirs = "(SELECT {} FROM {} AS theirs WHERE theirs.rater_id = :other AND theirs.image_id = {}.image_id)"
    longest = theirs.format("expires_at", "lease", "lease")
    _run(f"UPDATE lease SET expires_at = {longest} WHERE rater_id = :kept AND expires_at < {longest}", **ids)
    for table in ("lease", "repeat"):
        known = f"(SELECT image_id FROM {table} WHERE rater_id = :kept)"
        _run(f"DELETE FROM {table} WHERE rater_id = :other AND image_id IN {known}", **ids)
    for table in ("vote", "lease", "repeat", "rater_event"):
        _run(f"UPDATE {table} SET rater_id = :kept WHERE rater_id = :other", **ids)
    for table in ("word", "vote_count"):
        _run(f"DELETE FROM {table} WHERE rater_id = :other", other=other)
    _run("DELETE FROM rater WHERE id = :other", other=other)


def _count_again() -> None:
    """As `feedback.pool.tally.rebuild` does, which a migration must not call: later it may need later columns."""
    for table in ("word", "image_tally", "version_tally", "vote_count"):
        _run(f"DELETE FROM {table}")
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    day = "date(received_at)" if is_sqlite else "(received_at AT TIME ZONE 'UTC')::date"
    counted = "rater_id NOT IN (SELECT id FROM rater WHERE is_excluded)"
    verdicts = ", ".join(f"sum(CASE verdict WHEN '{word}' THEN 1 ELSE 0 END)" for word in ("reject", "keep"))
    _run(
        f"""INSERT INTO word (image_id, rater_id, verdict, vote_id, day)
        SELECT image_id, rater_id, verdict, id, {day} FROM vote
        WHERE id IN (SELECT max(id) FROM vote GROUP BY image_id, rater_id)"""
    )
    _run(
        f"""INSERT INTO image_tally (image_id, rejects, keeps)
        SELECT image_id, {verdicts} FROM word WHERE {counted} GROUP BY image_id"""
    )
    _run(
        """INSERT INTO version_tally (version, origin, rejected, kept, disputed, vote_pairs, agreeing)
        SELECT version, origin, sum(CASE WHEN rejects > keeps THEN 1 ELSE 0 END),
               sum(CASE WHEN rejects < keeps THEN 1 ELSE 0 END),
               sum(CASE WHEN rejects = keeps AND keeps > 0 THEN 1 ELSE 0 END),
               sum((rejects + keeps) * (rejects + keeps - 1) / 2),
               sum((rejects * (rejects - 1) + keeps * (keeps - 1)) / 2)
        FROM image_tally JOIN image ON image.id = image_tally.image_id GROUP BY version, origin"""
    )
    _run(
        f"""INSERT INTO vote_count (version, origin, rater_id, day, rejects, keeps)
        SELECT version, origin, rater_id, day, {verdicts}
        FROM word JOIN image ON image.id = word.image_id WHERE {counted} GROUP BY version, origin, rater_id, day"""
    )
    _run(
        """UPDATE new_rejects SET count = (SELECT count(*)
        FROM image_tally JOIN image ON image.id = image_tally.image_id
        WHERE origin = 'sampled' AND rejects > keeps AND image_id >= floor AND image_id NOT IN (
            SELECT image_id FROM manifest_item JOIN version ON version.manifest_id = manifest_item.manifest_id
            WHERE version.number = (SELECT max(number) FROM version))
        AND image_id NOT IN (SELECT image_id FROM pool_event WHERE action = 'exclude'
            AND id IN (SELECT max(id) FROM pool_event GROUP BY image_id)))"""
    )


def _queue_again(before: dict[int, int]) -> None:
    """Puts the images that lost a vote back into the queue, where they are still rated."""
    live = "(SELECT version FROM alias WHERE name = 'champion')"
    for image, votes in before.items():
        values = {"image": image, "votes": votes}
        tally = "SELECT {} FROM image_tally WHERE image_id = :image"
        now = _run(tally.format("rejects + keeps"), image=image).scalar() or 0
        if now < votes:
            tied = f"EXISTS ({tally.format('1')} AND rejects = keeps AND keeps > 0)"
            _run(
                f"UPDATE image SET is_disputed = {tied}, is_queued = is_queued OR :now < coalesce(overlap, :votes) "
                f"WHERE id = :image AND (origin = 'evaluation' OR origin = 'sampled' AND version = {live})",
                now=now,
                **values,
            )
