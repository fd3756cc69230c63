"""What rows become on their way into another store: decisions of this store stay, and names made of numbers follow."""

from collections.abc import Mapping

from sqlalchemy import func, select

from feedback.exchange.stores.bring import Change, Merge, table_of
from feedback.exchange.stores.rows import Row, to_utc
from feedback.pool.counts import POOLED
from feedback.sample.conditions import UNKNOWN, Conditions
from feedback.sample.work import Drawing, Work, work_key
from feedback.succession import PLAIN, alias_target
from store.tables import Action, AliasName, Origin, PersonRole, RaterAction, RunStatus

DRAWN = ("rule", "strength", "guidance_scale", "num_inference_steps", "width", "height", "negative_prompt")
ENDED = "it was interrupted in the store from which it was merged"


def _as_raters(_merge: Merge, rows: list[Row]) -> list[Row]:
    """What people may do is given in each store."""
    return [row | {"role": PersonRole.rater} for row in rows]


def _rater_events(merge: Merge, rows: list[Row]) -> list[Row]:
    """Of a rater whom both stores know, this one's decisions stand."""
    new = merge.places.brought("rater").values()
    return [row for row in rows if row["rater_id"] in new and row["action"] is not RaterAction.role]


def _lora_versions(_merge: Merge, rows: list[Row]) -> list[Row]:
    """The plain base is here."""
    return [row for row in rows if row["number"] != PLAIN]


def _ended_runs(_merge: Merge, rows: list[Row]) -> list[Row]:
    """Checkpoints stay in that store, where an interrupted retrain can be resumed."""
    open_ = (RunStatus.running, RunStatus.interrupted)
    return [row | ({"status": RunStatus.failed, "message": ENDED} if row["status"] in open_ else {}) for row in rows]


def _alias_events(merge: Merge, rows: list[Row]) -> list[Row]:
    """A version that was here before is withdrawn here or not at all."""
    new = merge.places.brought("version").values()
    return [row for row in rows if row["action"] is not Action.withdraw or row["from_version"] in new]


def _images(merge: Merge, rows: list[Row]) -> list[Row]:
    """Pictures under the names they would have here; those of the versions that draw here wait for raters."""
    texts = _column(merge, "prompt", "text", {row["prompt_id"] for row in rows})
    bodies = _column(merge, "conditions", "body", {row["conditions_id"] for row in rows})
    drawing_now = {PLAIN, alias_target(merge.our_session, AliasName.champion)}
    for row in rows:
        del row["number"]  # a random one, which a new row gets by itself
        if row["origin"] is not Origin.imported:  # those are named by their pixels
            row["work_key"] = _work_key(row, texts[row["prompt_id"]], bodies.get(row["conditions_id"]))
        row["is_queued"] = row["is_queued"] and row["version"] in drawing_now and row["origin"] in POOLED
    return rows


def _work_key(row: Row, prompt: str, body: str | None) -> str:
    under = UNKNOWN if body is None else Conditions.of(body)
    work = Work(row["prompt_id"], prompt, row["seed"], row["version"], Origin(row["origin"]))
    return work_key(work, Drawing(**{name: row[name] for name in DRAWN}, conditions=under))


def _column(merge: Merge, name: str, column: str, numbers: set[int | None]) -> Mapping[int, str]:
    table = table_of(name)
    found = merge.ours.execute(select(table.c.id, table.c[column]).where(table.c.id.in_(numbers - {None})))
    return {row[0]: row[1] for row in found}


def _votes(merge: Merge, rows: list[Row]) -> list[Row]:
    """Without votes that their rater has already replaced here: the newest row of a rater on a picture counts."""
    vote = table_of("vote")
    asked = {row["request_id"] for row in rows}
    known = set(merge.ours.execute(select(vote.c.request_id).where(vote.c.request_id.in_(asked))).scalars())
    newest = (
        select(vote.c.image_id, vote.c.rater_id, func.max(vote.c.received_at))
        .where(vote.c.image_id.in_({row["image_id"] for row in rows}), vote.c.id <= merge.newest_vote)
        .group_by(vote.c.image_id, vote.c.rater_id)
    )
    later = {(image, rater): to_utc(time) for image, rater, time in merge.ours.execute(newest)}
    kept = [
        row
        for row in rows
        if row["request_id"] in known
        or (time := later.get((row["image_id"], row["rater_id"]))) is None
        or time <= row["received_at"]
    ]
    merge.left["vote"] += len(rows) - len(kept)
    return kept


def _repeats(_merge: Merge, rows: list[Row]) -> list[Row]:
    for row in rows:
        del row["number"]  # as with pictures
    return rows


def _damage(merge: Merge, rows: list[Row]) -> list[Row]:
    """A picture is not lost whose file is whole here."""
    files = _column(merge, "image", "sha256", {row["image_id"] for row in rows})
    return [row for row in rows if not merge.layout.blobs.has(files[row["image_id"]])]


CHANGES: Mapping[str, Change] = {
    "rater": _as_raters,
    "rater_event": _rater_events,
    "version": _lora_versions,
    "run": _ended_runs,
    "alias_event": _alias_events,
    "image": _images,
    "vote": _votes,
    "repeat": _repeats,
    "damage": _damage,
}
