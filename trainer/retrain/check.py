"""A version's check is made at the end of its retrain: what its scores mean, how well it tells, where its cut is."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from torch import Tensor

from feedback.check.halves import half_of
from feedback.check.version_check import How, Judged, VersionCheck, fold_of, make_check, match_scale
from feedback.check.weighing import score_by_other_folds, weigh
from feedback.pool.pool import PoolItem
from feedback.retrain.progress import Tell, Teller, quiet
from feedback.retrain.stages import DRAW, SCORE, Phase, Stage
from feedback.sample.work import Job
from store.tables import Role, Split
from trainer.fit.training import Training
from trainer.lora.tensors import TRAINED, replaced_tensors
from trainer.retrain.cross_fit import (
    CrossFit,
    HalfScores,
    Pictures,
    draw_pictures,
    drawing_work,
    halves_of,
    jobs_of,
    see_items,
)
from trainer.retrain.strength import Choice
from trainer.sample.check import CHECK, Judge

JUDGING, COMPARING = "judging for the check", "comparing with the base"
DRAWING_OWN = "drawing with the version"


class Evidence(NamedTuple):
    """A picture of the pool, and what a LoRA that was not trained on it found in it, on the version's own scale."""

    item: PoolItem
    values: list[float]


class Scored(NamedTuple):
    """A picture of the pool, and its score from that evidence; neither LoRA nor weights come from its own votes."""

    item: PoolItem
    score: float


class MadeCheck(NamedTuple):
    """A version's check, and the scores behind it."""

    check: VersionCheck
    scored: Sequence[Scored]


def learn_check(training: Training, crossed: CrossFit | None, teller: Teller | None = None) -> MadeCheck:
    """What the votes teach the check of the LoRA that is attached; it has no cut yet. Without cross-fitting only the
    held-out pictures count."""
    with (teller or Teller()).stage(JUDGING) as tell:
        judge = Judge(training.base, TRAINED)
        found = _from_halves(crossed, judge, tell) if crossed else _held_out(training, judge, tell)
    flags = [one.item.role is Role.reject for one in found]
    evidence = np.array([one.values for one in found]).reshape(-1, 2)
    how, scores = CHECK, evidence.sum(axis=1)
    if len(set(flags)) > 1:
        how = How.at(CHECK.timesteps, CHECK.noises, weigh(evidence, flags))
        scores = score_by_other_folds(evidence, flags, [fold_of(one.item.prompt) for one in found])
    scored = [Scored(one.item, float(score)) for one, score in zip(found, scores, strict=True)]
    judged = [Judged(one.score, flag, one.item.prompt) for one, flag in zip(scored, flags, strict=True)]
    return MadeCheck(make_check(how, judged), scored)


def cut_check(training: Training, strength: float, made: MadeCheck, teller: Teller | None = None) -> MadeCheck:
    """The check with the cut that fits the version's own pictures, which it draws at `strength`; as it is while off."""
    teller = teller or Teller()
    if not made.check.is_on:
        teller.skip(DRAWING_OWN)
        return made
    with teller.stage(DRAWING_OWN) as tell:
        own = draw_pictures(training, strength, tell)
        own_scores = Judge(training.base, TRAINED, made.check.how).scores(*own)
    return made._replace(check=made.check.with_cut(own_scores.tolist()))


def compare(
    training: Training, crossed: CrossFit | None, check: VersionCheck, choice: Choice, teller: Teller
) -> Choice:
    """The choice, where the check also expects fewer rejects of the strength than of the base."""
    if crossed is None or not check.is_on:
        teller.skip(COMPARING)
        return choice
    with teller.stage(COMPARING) as tell:
        helped = choice.with_help(expected_change(training, crossed, check, tell))
    teller.measured(helped.curve)
    return helped


def expected_change(
    training: Training, crossed: CrossFit | None, check: VersionCheck, tell: Tell = quiet
) -> Callable[[float], float | None]:
    """A function from a strength to the change of the share of rejects, from the plain base's pictures to those drawn
    at that strength, as far as the check can tell; None where it cannot.

    A LoRA cannot judge what it steered: steering lowers the very likeness that it looks for. So the LoRA of each half
    draws, on its own prompts, and that of the other half, which learnt from other votes, judges.
    """

    def expect(strength: float) -> float | None:
        if crossed is None or not check.is_on:
            return None
        return _expect(training, crossed, check, partial(draw_pictures, training, strength, tell))

    return expect


def _expect(training: Training, crossed: CrossFit, check: VersionCheck, draw: Callable[[list[Job]], Pictures]) -> float:
    unet, jobs, judge = training.base.pipe.unet, jobs_of(training), Judge(training.base, TRAINED)
    wanted_BK, changes = judge.evidence(*crossed.unjudged), np.zeros(len(jobs))
    for number, (drawing, judging) in enumerate(zip(crossed.halves, reversed(crossed.halves), strict=True)):
        mine = [k for k, job in enumerate(jobs) if half_of(job.prompt) == number]
        with replaced_tensors(unet, drawing.lora):
            steered = draw([jobs[k] for k in mine])
        with replaced_tensors(unet, judging.lora):
            after_BK = judge.evidence(*steered)
        after, before = (
            np.array([check.chance(score) for score in _on_scale(values_BK, judging, wanted_BK) @ check.how.weights])
            for values_BK in (after_BK, judging.of_unjudged[mine])
        )
        changes[mine] = after - before
    return float(changes.mean())


def check_stages(training: Training) -> list[Stage]:
    """The stages of the check; its pictures are drawn at a strength that is not known yet."""
    drawing = drawing_work(training, len(jobs_of(training)), 1.0)
    comparing = [Stage(COMPARING, Phase.check, DRAW, drawing)] if halves_of(training) else []
    return [
        Stage(JUDGING, Phase.check, SCORE, _to_judge(training)),
        *comparing,
        Stage(DRAWING_OWN, Phase.check, DRAW, drawing),
    ]


def _to_judge(training: Training) -> int:
    """Pictures that the version itself scores first: the base's, or the held-out ones."""
    return len(jobs_of(training) if halves_of(training) else _held_out_items(training))


def _from_halves(crossed: CrossFit, judge: Judge, tell: Tell) -> list[Evidence]:
    """What the halves gave, on the scale of the version, which is `judge`."""
    of_unjudged = judge.evidence(*crossed.unjudged, tell)
    found = [
        Evidence(item, values)
        for half in crossed.halves
        for item, values in zip(half.items, _on_scale(half.evidence, half, of_unjudged).tolist(), strict=True)
    ]
    return sorted(found, key=lambda one: one.item.image_id)


def _on_scale(values_BK: Tensor, half: HalfScores, wanted_BK: Tensor) -> np.ndarray:
    """What a half's LoRA found (B, K), on the scale of the LoRA that found `wanted_BK` in the unjudged pictures."""
    columns = zip(values_BK.T, half.of_unjudged.T, wanted_BK.T, strict=True)
    return np.array([match_scale(*(values.tolist() for values in column)) for column in columns]).T


def _held_out(training: Training, judge: Judge, tell: Tell) -> list[Evidence]:
    items = _held_out_items(training)
    values = see_items(training, judge, items, tell).tolist()
    return [Evidence(item, its_values) for item, its_values in zip(items, values, strict=True)]


def _held_out_items(training: Training) -> tuple[PoolItem, ...]:
    return tuple(item for item in training.manifest.items if item.split is Split.held_out)
