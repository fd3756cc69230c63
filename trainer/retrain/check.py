"""A version's check is made at the end of its retrain: what its scores mean, how well it tells, where its cut is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from feedback.check.version_check import How, Judged, VersionCheck, fold_of, make_check, match_scale
from feedback.check.weighing import score_by_other_folds, weigh
from feedback.pool.pool import PoolItem
from store.tables import Role, Split
from trainer.fit.training import Training
from trainer.lora.tensors import TRAINED
from trainer.retrain.cross_fit import CrossFit, HalfScores, draw_pictures, see_items
from trainer.sample.check import CHECK, Judge


class Seen(NamedTuple):
    """A picture of the pool, and what a LoRA that was not trained on it found, on the version's own scale."""

    item: PoolItem
    evidence: list[float]


class Scored(NamedTuple):
    """A picture of the pool, and its score from that evidence; neither LoRA nor weights come from its own votes."""

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
    seen = _from_halves(crossed, judge) if crossed else _held_out(training, judge)
    flags = [item.role is Role.reject for item, _ in seen]
    evidence = np.array([found for _, found in seen]).reshape(-1, 2)
    how, scores = CHECK, evidence.sum(axis=1)
    if len(set(flags)) > 1:
        how = How.at(CHECK.timesteps, CHECK.noises, weigh(evidence, flags))
        scores = score_by_other_folds(evidence, flags, [fold_of(item.prompt) for item, _ in seen])
    scored = [Scored(item, float(score)) for (item, _), score in zip(seen, scores, strict=True)]
    judged = [Judged(one.score, flag, one.item.prompt) for one, flag in zip(scored, flags, strict=True)]
    own_scores = judge.evidence(*own) @ torch.tensor(how.weights)
    return MadeCheck(make_check(how, judged, own_scores.tolist()), scored)


def _from_halves(crossed: CrossFit, judge: Judge) -> list[Seen]:
    """What the halves gave, on the scale of the version, which is `judge`."""
    of_unjudged = judge.evidence(*crossed.unjudged)
    seen = [
        Seen(item, evidence)
        for half in crossed.halves
        for item, evidence in zip(half.items, _on_scale(half, of_unjudged), strict=True)
    ]
    return sorted(seen, key=lambda one: one.item.image_id)


def _on_scale(half: HalfScores, wanted_BK: Tensor) -> list[list[float]]:
    columns = [
        match_scale(*(values.tolist() for values in column))
        for column in zip(half.evidence.T, half.of_unjudged.T, wanted_BK.T, strict=True)
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _held_out(training: Training, judge: Judge) -> list[Seen]:
    items = tuple(item for item in training.manifest.items if item.split is Split.held_out)
    return [Seen(item, found) for item, found in zip(items, see_items(training, judge, items).tolist(), strict=True)]
