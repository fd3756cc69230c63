"""A version's check is made at the end of its retrain: what its scores mean, how well it tells, where its cut is."""

from collections.abc import Sequence
from typing import NamedTuple

from feedback.check.version_check import How, Judged, VersionCheck, make_check, match_scale
from feedback.pool.pool import PoolItem
from store.tables import Role, Split
from trainer.fit.training import Training
from trainer.lora.tensors import TRAINED
from trainer.retrain.cross_fit import CrossFit, draw_pictures, score_items
from trainer.sample.check import CHECK, Judge


class Scored(NamedTuple):
    """A picture of the pool, and what a LoRA that was not trained on it gave, on the version's own scale."""

    item: PoolItem
    score: float


class MadeCheck(NamedTuple):
    """A version's check, and the scores behind it."""

    check: VersionCheck
    scored: Sequence[Scored]


def make_version_check(training: Training, strength: float, crossed: CrossFit | None) -> MadeCheck:
    """The check of the LoRA that is attached, which draws at `strength`; without cross-fitting only the held-out
    pictures count."""
    own = draw_pictures(training, strength)
    judge = Judge(training.base, TRAINED)
    scored = _from_halves(crossed, judge) if crossed else _held_out(training, judge)
    judged = [Judged(one.score, one.item.role is Role.reject, one.item.prompt) for one in scored]
    how = How(CHECK.timesteps, CHECK.noises, CHECK.unet_rows)
    return MadeCheck(make_check(how, judged, judge.scores(*own).tolist()), scored)


def _from_halves(crossed: CrossFit, judge: Judge) -> list[Scored]:
    """What the halves gave, on the scale of the version, which is `judge`."""
    of_unjudged = judge.scores(*crossed.unjudged).tolist()
    scored = [
        Scored(item, score)
        for half in crossed.halves
        for item, score in zip(half.items, match_scale(half.scores, half.of_unjudged, of_unjudged), strict=True)
    ]
    return sorted(scored, key=lambda one: one.item.image_id)


def _held_out(training: Training, judge: Judge) -> list[Scored]:
    items = tuple(item for item in training.manifest.items if item.split is Split.held_out)
    return [Scored(item, score) for item, score in zip(items, score_items(training, judge, items), strict=True)]
