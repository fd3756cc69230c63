"""What becomes of each table when another store is merged into this one: merged, counted again, or left there."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from feedback.pool.tally import COUNTED

NONE: Mapping[str, str] = MappingProxyType({})


class Rule(NamedTuple):
    """How the rows of a table come in.

    `keys`: columns in which two rows are one, each set's first is what they are looked up by; the first set that
    matches decides. `refers`: columns that hold the number of another table's row without a foreign key. `later`: of
    the columns that refer, those that are set once every table is there. `is_history`: what comes gets numbers below
    this store's own, so that the newest decision of this store stays the newest.
    """

    keys: tuple[tuple[str, ...], ...]
    refers: Mapping[str, str] = NONE
    later: Mapping[str, str] = NONE
    is_history: bool = False


SAME_WORK = ("work_key",)
SAME_PIXELS = ("sha256", "prompt_id", "seed", "version", "origin")

MERGED: dict[str, Rule] = {
    "rater": Rule((("name_key",),)),
    "prompt_import": Rule((("created_at", "source"),)),
    "prompt": Rule((("text",),)),
    "conditions": Rule((("body",),)),
    "guidelines": Rule((("created_at", "text"),), is_history=True),
    "run": Rule((("started_at",),), later={"version": "version", "manifest_id": "manifest"}, is_history=True),
    "run_progress": Rule((("run_id",),)),
    "version": Rule((("sha256",),), refers={"strength_of": "version"}, later={"manifest_id": "manifest"}),
    "alias_event": Rule((("created_at", "action", "alias", "from_version", "to_version", "reason"),), is_history=True),
    "image": Rule((SAME_WORK, SAME_PIXELS), refers={"conditions_id": "conditions"}),
    "image_measure": Rule((("image_id",),)),
    "imported_picture": Rule((("image_id",),)),
    "picture_score": Rule((("image_id", "version"),)),
    "picture_try": Rule((("image_id", "number"),)),
    "damage": Rule((("image_id",),)),
    "control": Rule((("image_id",),)),
    "pool_event": Rule((("image_id", "created_at", "action", "by", "reason"),), is_history=True),
    "lease": Rule((("image_id", "rater_id"),)),
    "vote": Rule((("request_id",),), refers={"guidelines": "guidelines"}),
    "vote_reason": Rule((("vote_id", "reason"),)),
    "mark": Rule((("vote_id", "x", "y"),)),
    "repeat": Rule((("image_id", "rater_id"),)),
    "second_look": Rule((("vote_id",),)),
    "rater_event": Rule((("rater_id", "created_at", "action", "by", "reason"),), is_history=True),
    "model_base": Rule((("key",),)),
    "evaluation_set": Rule((("sha256",),)),
    "evaluation_pair": Rule((("set_id", "pair_hash"),)),
}
"""In an order in which every table comes after those that it refers to, but for what is set later."""

FROZEN_AGAIN = ("manifest", "manifest_item")
"""Training sets name pictures by their numbers, which are others here, and are named by their content."""

COUNTED_AGAIN = tuple(str(table.__tablename__) for table in COUNTED)

LEFT_THERE = {
    "store": "each store has its own id",
    "alias": "the champion and the challenger here stay",
    "evaluation_use": "the evaluation set in use here stays",
    "invitation": "links are signed with that store's secret",
    "token": "programs that hold one use that store",
    "claim": "a worker of that store held it",
    "worker": "it worked for that store",
    "task": "it was asked of that store's worker",
    "delivery": "that store announced it",
}
