"""The strength sweep: after each fit the sampler draws held-out prompts and seeds at several strengths.

Stronger steering avoids more rejects until it spoils pictures. The guards below measure where that begins
(over-optimisation: Gao et al. 2023). Where raters have judged earlier versions' evaluation pictures, strengths that
they rejected significantly more often than the best one are left out too, and so is a strength of which the check
expects no fewer rejects than of the base.

Shape suffixes: B pictures, C latent channels (4), H W latent height and width.
"""

from collections.abc import Callable
from typing import NamedTuple, Self

import torch
from torch import Tensor

from feedback.gate.guardrails import MAY_SHIFT
from feedback.recipe import Recipe
from feedback.retrain.progress import Tell, Teller, quiet
from feedback.retrain.stages import DRAW, Phase, Stage
from feedback.statistics import Interval, wilson
from store.settings import Settings
from trainer.base.memory import halve_until_fits
from trainer.fit.batches import Batch, BatchDrawer
from trainer.fit.loss import predict
from trainer.fit.training import Training
from trainer.retrain.cross_fit import drawing_work
from trainer.retrain.pictures.looks import KIND, Looks, held_out_jobs, looks_of, plain_looks
from trainer.retrain.pictures.plain import count_missing
from trainer.sample.sampler import steer_drawing

STRENGTHS = {
    "same-prompt": (1.0, 2.0, 4.0, 6.0),
    "negative-half": (0.5, 1.0, 2.0, 3.0, 4.0),
    "woolf": (0.25, 0.5, 0.75, 1.0),
}
DIVERSITY = Interval(0.5, float("inf"))
"""Up to half of the spread of a prompt's pictures are mistakes, mostly wrong colours, which should go; pictures that
all look the same would have none."""
MOST_PUSH = 0.6
"""The push away from the rejects, relative to the pull towards the prompt."""
DECIDED_FROM = 400
"""A picture's content is decided at this timestep and above; below it, the pull towards the prompt is small."""
TRYING = "trying strengths"
TINY = 1e-6
MIN_JUDGED = 40
"""Judged evaluation pictures that a strength needs before its rate counts."""

Point = dict[str, float]
Curve = list[Point]


class Choice(NamedTuple):
    """The strength a version ships, and the measures of every strength that was tried, weakest first.

    `measure` gives those of another one of `strengths`.
    """

    strength: float
    curve: Curve
    strengths: tuple[float, ...] = ()
    measure: Callable[[float], Point] | None = None

    def with_help(self, expected: Callable[[float], float | None]) -> Self:
        """The choice where a strength also has to make rejects rarer than the base does.

        `expected` gives the change of the share of rejects; None where nobody can tell, and then it does not count.
        The strongest that was tried is asked about first, and no weaker one than the first that helps.
        """
        points = {point["strength"]: point for point in self.curve}
        for strength in sorted({*points, *self.strengths}, reverse=True):
            if strength > self.curve[-1]["strength"]:
                continue  # not tried, because a weaker one did not pass
            if strength not in points and self.measure:
                points[strength] = self.measure(strength)
            point = points[strength]
            change = expected(strength) if point["passes"] else None
            if change is not None:
                point = points[strength] = point | {"expected": change, "passes": float(change < 0)}
            if point["passes"]:
                break
        curve = [points[strength] for strength in sorted(points)]
        return self._replace(strength=strongest(curve), curve=curve)


def strongest(curve: Curve) -> float:
    """The strongest strength that passes; where none does, the weakest.

    >>> strongest([{"strength": 1.0, "passes": 1.0}, {"strength": 2.0, "passes": 0.0}])
    1.0
    """
    return max((point["strength"] for point in curve if point["passes"]), default=curve[0]["strength"])


def choose_strength(
    training: Training, judged: dict[float, tuple[int, int]], teller: Teller | None = None, last: float | None = None
) -> Choice:
    """The strongest strength that every guard allows, with the curve. The trained adapter must be active.

    `judged` gives (rejects, judged) on evaluation pictures, for strengths of earlier versions with the same rule.
    `last` is the last version's strength, where the search begins; without one, at the strongest. A strength set by
    hand is kept; only that one is measured.
    """
    teller = teller or Teller()
    wanted = wanted_strengths(training.settings)
    with teller.stage(TRYING) as tell:
        sweep = Sweep(training, judged, tell, teller.measured)
        choice = search(wanted, _begin(wanted, last), sweep.measure)
    sweep.tell = quiet  # what is measured later belongs to another stage
    return choice


def search(strengths: tuple[float, ...], begin: int, measure: Callable[[float], Point]) -> Choice:
    """The strongest that passes, from the place `begin` upwards as long as they pass, else downwards until one does.

    The guards only worsen with the strength, so this finds what trying all from the weakest on would, with fewer.

    >>> def measure(strength): return {"strength": strength, "passes": float(strength <= 2)}
    >>> choice = search((1.0, 2.0, 4.0, 6.0), 1, measure)
    >>> choice.strength, [point["strength"] for point in choice.curve]
    (2.0, [2.0, 4.0])
    """
    curve = [measure(strengths[begin])]
    if curve[0]["passes"]:
        for strength in strengths[begin + 1 :]:
            curve.append(measure(strength))
            if not curve[-1]["passes"]:
                break
    else:
        for strength in reversed(strengths[:begin]):
            curve.insert(0, measure(strength))
            if curve[0]["passes"]:
                break
    return Choice(strongest(curve), curve, strengths, measure)


def strength_stage(training: Training, last: float | None = None) -> Stage:
    """The stage of `choose_strength`, if the first strength passes, and the one above it does not."""
    jobs, wanted = (
        held_out_jobs(training.manifest, training.settings.sweep_pictures),
        wanted_strengths(training.settings),
    )
    tried = wanted[(begin := _begin(wanted, last)) : begin + 2]
    drawn = drawing_work(training, count_missing(training, KIND, jobs), 0.0)
    work = drawn + sum(drawing_work(training, len(jobs), strength) for strength in tried)
    return Stage(TRYING, Phase.strengths, DRAW, work)


def wanted_strengths(settings: Settings) -> tuple[float, ...]:
    """The strengths that may be tried, weakest first."""
    return STRENGTHS[settings.rule] if settings.strength is None else (settings.strength,)


def _begin(strengths: tuple[float, ...], last: float | None) -> int:
    """The place of the strength that is nearest to the last version's; without one, of the strongest.

    >>> _begin((1.0, 2.0, 4.0), 2.5), _begin((1.0, 2.0, 4.0), None)
    (1, 2)
    """
    if last is None:
        return len(strengths) - 1
    return min(range(len(strengths)), key=lambda place: abs(strengths[place] - last))


class Sweep:
    """Measures strengths on the same pictures; the plain base's are drawn once and kept."""

    def __init__(
        self, training: Training, judged: dict[float, tuple[int, int]], tell: Tell, on_curve: Callable[[Curve], None]
    ) -> None:
        self.training, self.judged, self.tell, self.on_curve = training, judged, tell, on_curve
        self.share = guidance_share(training)
        self.jobs = held_out_jobs(training.manifest, training.settings.sweep_pictures)
        self.curve: Curve = []
        self.plain = self._draw(lambda tell: plain_looks(training, self.jobs, tell), 0.0)

    def measure(self, strength: float) -> Point:
        """What was measured at a strength, and whether it passes."""
        base, settings = self.training.base, self.training.settings
        looks = self._draw(lambda tell: looks_of(self.training, self.jobs, strength, tell), strength)
        ratios = {name: (a + TINY) / (b + TINY) for name, a, b in zip(Looks._fields, looks, self.plain, strict=True)}
        w = steer_drawing(base.plain, Recipe.asked(settings, strength)).guidance_scale
        push = push_of(settings.rule, strength, self.share, w)
        point = {"strength": strength, "pictures": len(self.jobs), "guidance_scale": w, "push": push} | ratios
        point |= _votes_on(self.judged, strength) | {"passes": float(passes(point, self.judged))}
        self.curve = sorted([*self.curve, point], key=lambda one: one["strength"])
        self.on_curve(self.curve)
        return point

    def _draw(self, draw: Callable[[Tell], Looks], strength: float) -> Looks:
        """The looks that `draw` gives, without the adapter on; it tells of pictures and steps, and this of rows."""
        unet, work = self.training.base.pipe.unet, drawing_work(self.training, 1, strength)
        rows = work / self.training.base.plain.num_inference_steps
        unet.disable_adapters()
        try:
            return draw(lambda pictures: self.tell(rows * pictures))
        finally:
            unet.enable_adapters()


def push_of(rule: str, strength: float, share: float, guidance_scale: float) -> float:
    """The push away from the rejects, relative to the pull towards the prompt; `share` is that of `guidance_share`.

    In null + w (cond - null) the null row, which the adapter changes, has the weight w - 1.

    >>> push_of("same-prompt", 2.0, 0.5, 4.0), push_of("negative-half", 2.0, 0.5, 4.0)
    (0.25, 0.75)
    """
    return strength * share * (1 if rule == "same-prompt" else guidance_scale - 1) / guidance_scale


def passes(point: dict[str, float], judged: dict[float, tuple[int, int]]) -> bool:
    """Whether every guard allows a strength.

    >>> passes({"strength": 2, "diversity": 1.0, "contrast": 1.1, "saturation": 1.0, "push": 0.3}, {})
    True
    >>> passes({"strength": 8, "diversity": 0.4, "contrast": 1.1, "saturation": 1.0, "push": 0.3}, {})
    False
    """
    within = (("diversity", DIVERSITY), ("contrast", MAY_SHIFT), ("saturation", MAY_SHIFT))
    is_sound = all(low <= point[name] <= high for name, (low, high) in within) and point["push"] <= MOST_PUSH
    return is_sound and not is_rejected_more(point["strength"], judged)


def is_rejected_more(strength: float, judged: dict[float, tuple[int, int]]) -> bool:
    """Raters rejected this strength's pictures significantly more often than those of the best strength.

    >>> is_rejected_more(6.0, {2.0: (10, 100), 6.0: (40, 100)}), is_rejected_more(6.0, {2.0: (10, 100), 6.0: (12, 100)})
    (True, False)
    """
    known = {s: wilson(rejects, n) for s, (rejects, n) in judged.items() if n >= MIN_JUDGED}
    return strength in known and known[strength].low > min(interval.high for interval in known.values())


@torch.no_grad()
def guidance_share(training: Training) -> float:
    """What the adapter changes in the row it acts on (the null row, or the prompt's own under `same-prompt`).

    Relative to |cond - null|; the mean over held-out pictures and noise levels from DECIDED_FROM on.
    """
    draw = BatchDrawer(training.with_settings(min_timestep=DECIDED_FROM))
    batch = draw.evaluation()
    if batch is None:
        return 0.0

    def in_parts(rows: int) -> Tensor:
        return torch.cat([_shares(draw, part) for part in batch.parts(rows)])

    shares_B, _ = halve_until_fits(in_parts, draw.settings.micro_batch or draw.settings.train_batch)
    return float(shares_B.mean())


def _shares(draw: BatchDrawer, batch: Batch) -> Tensor:
    """For each row of the batch (B,) what `guidance_share` is the mean of."""
    unet, null = draw.unet, draw.under(batch, None)
    adapted = batch if draw.settings.rule == "same-prompt" else null
    changed_BCHW = predict(unet, adapted)
    unet.disable_adapters()
    cond_BCHW, null_BCHW = predict(unet, batch), predict(unet, null)
    unet.enable_adapters()
    unchanged_BCHW = cond_BCHW if adapted is batch else null_BCHW
    return _norms(changed_BCHW - unchanged_BCHW) / _norms(cond_BCHW - null_BCHW)


def _norms(x_BCHW: Tensor) -> Tensor:
    return x_BCHW.float().flatten(1).norm(dim=1)


def _votes_on(judged: dict[float, tuple[int, int]], strength: float) -> dict[str, float]:
    rejects, n = judged.get(strength, (0, 0))
    return {"rejects": rejects, "judged": n} if n else {}
