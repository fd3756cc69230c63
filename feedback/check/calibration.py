"""What a score means: the chance that a rater rejects a picture with that score, and how far the chance is to be
believed.

Chances come from a logistic curve (Platt 1999) where there are few votes, and from isotonic regression where there are
many; with fewer than about 1,000 the latter overfits (Niculescu-Mizil and Caruana 2005). In between, with 200 to 460
votes, the mean of both was closer than either, on both drawn worlds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

BOTH_FROM, ISOTONIC_FROM = 100, 1_000
FOLDS = 5
BIN_SIZE = 40
MOST_BINS = 10
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Chance by score: 1 / (1 + exp(-(slope score + intercept))), or, with `knots` (score, chance), the lines between
    them, level beyond the first and the last; with both, their mean."""

    slope: float = 0.0
    intercept: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()

    def chances(self, scores: ArrayLike) -> Floats:
        """The chance of each score, 0 to 1."""
        values = np.asarray(scores, float)
        curve = sigmoid(self.slope * values + self.intercept)
        if not self.knots:
            return curve
        lines = np.interp(values, *np.array(self.knots).T)
        return (lines + curve) / 2 if self.slope else lines


class Bin(NamedTuple):
    """Pictures with about the same chance: how many, the mean chance, and the share that was rejected."""

    n: int
    chance: float
    rejected: float


class Reliability(NamedTuple):
    """Chances beside what raters said: the curve in bins, and the calibration error (ECE).

    The error is |chance - rejected| by bin, as a mean over the pictures. Chances that are exactly right would still
    give about `error_by_luck`, because a bin has few pictures.
    """

    bins: tuple[Bin, ...]
    error: float
    error_by_luck: float


def fit_curve(scores: ArrayLike, is_reject: ArrayLike) -> Curve:
    """The curve for pairs of score and verdict; needs at least one of each verdict."""
    values, flags = np.asarray(scores, float), np.asarray(is_reject, bool)
    if len(values) >= ISOTONIC_FROM:
        return fit_isotonic(values, flags)
    logistic = _logistic(values, flags)
    return replace(logistic, knots=fit_isotonic(values, flags).knots) if len(values) >= BOTH_FROM else logistic


def measure_reliability(scores: ArrayLike, is_reject: ArrayLike, folds: Sequence[int]) -> Reliability | None:
    """How right the chances are, each from a curve fitted without the picture's own fold; None with too few votes."""
    values, flags, number = np.asarray(scores, float), np.asarray(is_reject, bool), np.asarray(folds)
    chances = np.full(len(values), np.nan)
    for fold in np.unique(number):
        others = number != fold
        if len(np.unique(flags[others])) < 2:
            return None
        chances[~others] = fit_curve(values[others], flags[others]).chances(values[~others])
    return reliability(chances, flags) if len(values) else None


def reliability(chances: ArrayLike, is_reject: ArrayLike) -> Reliability:
    """Chances beside verdicts, in bins of equal size, at least about BIN_SIZE pictures each.

    Source: Naeini, Cooper and Hauskrecht 2015 (ECE), with bins of equal size (Nguyen and O'Connor 2015).
    """
    values, flags = np.asarray(chances, float), np.asarray(is_reject, bool)
    order = np.argsort(values, kind="stable")
    parts = np.array_split(order, min(MOST_BINS, max(1, len(values) // BIN_SIZE)))
    bins = tuple(Bin(len(rows), float(values[rows].mean()), float(flags[rows].mean())) for rows in parts)
    error = sum(one.n * abs(one.chance - one.rejected) for one in bins) / len(values)
    luck = sum(one.n * sqrt(2 / pi * one.chance * (1 - one.chance) / one.n) for one in bins) / len(values)
    return Reliability(bins, error, luck)


def _logistic(scores: Floats, is_reject: NDArray[np.bool_]) -> Curve:
    """Platt's curve: targets (n+ + 1) / (n+ + 2) and 1 / (n- + 2) in place of 1 and 0."""
    from scipy.optimize import minimize

    rejects, keeps = int(is_reject.sum()), int((~is_reject).sum())
    target = np.where(is_reject, (rejects + 1) / (rejects + 2), 1 / (keeps + 2))
    centre, spread = scores.mean(), scores.std() or 1.0
    z = (scores - centre) / spread

    def loss(ab: Floats) -> tuple[float, Floats]:
        u = ab[0] * z + ab[1]
        wrong = sigmoid(u) - target
        return float((np.logaddexp(0, u) - target * u).sum()), np.array([(wrong * z).sum(), wrong.sum()])

    slope, intercept = minimize(loss, np.zeros(2), jac=True, method="BFGS").x
    return Curve(float(slope / spread), float(intercept - slope * centre / spread))


def fit_isotonic(scores: Floats, is_reject: NDArray[np.bool_]) -> Curve:
    """Steps that only rise; each step keeps its first and last score."""
    from scipy.optimize import isotonic_regression

    order = np.lexsort((~is_reject, scores))
    level = isotonic_regression(is_reject[order].astype(float)).x
    edges = np.flatnonzero(np.diff(level, prepend=np.nan, append=np.nan)[:-1] != 0)
    ends = np.append(edges[1:], len(level)) - 1
    places = sorted({*edges.tolist(), *ends.tolist()})
    return Curve(knots=tuple((float(scores[order][i]), float(level[i])) for i in places))


def sigmoid(u: Floats) -> Floats:
    """1 / (1 + exp(-u))."""
    return np.exp(-np.logaddexp(0, -u))
