"""A version's check as its row keeps it: how it judges, what its scores mean, how well it tells, where the cut is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple, Self

import numpy as np
from pydantic import TypeAdapter

from feedback.check.calibration import FOLDS, Curve, Reliability, fit_curve, measure_reliability
from feedback.check.telling import Auc, auc_interval, auc_within_interval
from store.tables import Version

LEAST_EACH = 10
"""Rejects, and keeps, that a check needs."""
CUT_SHARE = 0.2
"""Share of a version's own pictures beyond its cut."""


class Judged(NamedTuple):
    """A picture that raters judged and that the LoRA which scored it was not trained on."""

    score: float
    is_reject: bool
    prompt: str


class How(NamedTuple):
    """How a picture is scored: at which timesteps (of 1,000), under how many noises each, the UNet rows that takes, and
    the weights of its evidence: likeness to the rejects, departure from the prompt. Without weight, the departure is
    not measured.

    A steered drawing takes two or three UNet rows a step.
    """

    timesteps: tuple[int, ...]
    noises: int
    unet_rows: int
    weights: tuple[float, float] = (1.0, 0.0)

    @classmethod
    def at(cls, timesteps: tuple[int, ...], noises: int, weights: tuple[float, float] = (1.0, 1.0)) -> Self:
        """The same with the rows counted.

        >>> How.at((700, 800), 2).unet_rows, How.at((700, 800), 2, (1.0, 0.0)).unet_rows
        (12, 8)
        """
        return cls(timesteps, noises, (3 if weights[1] else 2) * len(timesteps) * noises, weights)

    @property
    def asks_the_prompt(self) -> bool:
        return self.weights[1] != 0


@dataclass(frozen=True)
class VersionCheck:
    """A version's check. `off` says why it is off; empty: it is on.

    `auc_within` compares only pictures of the same prompt. `cut` is the score that CUT_SHARE of the version's own
    pictures exceed; `own_pictures` is how many were drawn for it.
    """

    how: How
    off: str
    curve: Curve | None = None
    auc: Auc | None = None
    auc_within: Auc | None = None
    reliability: Reliability | None = None
    cut: float | None = None
    own_pictures: int = 0

    @property
    def is_on(self) -> bool:
        return not self.off

    @classmethod
    def of(cls, version: Version) -> Self | None:
        """The check of a version; None for the base, imported versions and those from before there were checks."""
        return None if version.check is None else CHECK_JSON.validate_python(version.check)

    def chance(self, score: float) -> float | None:
        """The chance that a rater rejects a picture with this score; None while the check is off."""
        return float(self.curve.chances(score)) if self.is_on and self.curve else None

    def is_beyond_cut(self, score: float) -> bool:
        """Whether a picture scores worse than most of the version's own; never while the check is off."""
        return self.is_on and self.cut is not None and score > self.cut

    def with_cut(self, own_scores: Sequence[float]) -> Self:
        """The check with the cut that the scores of the version's own pictures give; as it is without a curve."""
        if self.curve is None or not own_scores:
            return self
        return replace(self, cut=float(np.quantile(own_scores, 1 - CUT_SHARE)), own_pictures=len(own_scores))

    def as_json(self) -> dict[str, Any]:
        """What the version's row keeps."""
        return CHECK_JSON.dump_python(self, mode="json")


CHECK_JSON: TypeAdapter[Any] = TypeAdapter(VersionCheck)


def make_check(how: How, judged: Sequence[Judged]) -> VersionCheck:
    """The check from judged pictures' scores; it has no cut yet."""
    scores, flags = [one.score for one in judged], [one.is_reject for one in judged]
    prompts = [one.prompt for one in judged]
    found = auc_interval(scores, flags)
    if found is None or min(found.rejects, found.keeps) < LEAST_EACH:
        return VersionCheck(how, _too_few(flags), auc=found)
    return VersionCheck(
        how,
        off="" if found.low > 0.5 else NO_BETTER.format(found.low, found.high),
        curve=fit_curve(scores, flags),
        auc=found,
        auc_within=auc_within_interval(scores, flags, prompts),
        reliability=measure_reliability(scores, flags, [fold_of(prompt) for prompt in prompts]),
    )


NO_BETTER = (
    "the check is off: it does not tell rejected pictures from kept ones better than chance (its AUC lies between "
    "{:.2f} and {:.2f}, and 0.50 is chance); more votes may help"
)


def _too_few(is_reject: Sequence[bool]) -> str:
    rejects = sum(is_reject)
    return (
        f"the check is off: it needs {LEAST_EACH} rejected and {LEAST_EACH} kept pictures that it was not trained on, "
        f"and there are {rejects} and {len(is_reject) - rejects}; more votes bring them"
    )


def fold_of(prompt: str) -> int:
    """The fold of a prompt, 0 to 4, by which the chances are tested on prompts that they do not come from."""
    return sha256(f"fold\n{prompt}".encode()).digest()[0] % FOLDS


def match_scale(scores: Sequence[float], reference: Sequence[float], wanted: Sequence[float]) -> list[float]:
    """The scores of one LoRA on the scale of another, by mean and spread of what both gave the same pictures.

    A LoRA that was trained longer, or on more pictures, scores everything further from 0.

    >>> match_scale([1.0, 3.0], [0.0, 2.0], [10.0, 14.0])
    [12.0, 16.0]
    """
    spread = float(np.std(reference)) or 1.0
    values = (np.asarray(scores, float) - np.mean(reference)) / spread * np.std(wanted) + np.mean(wanted)
    return values.tolist()
