"""How well scores tell rejected pictures from kept ones: the area under the ROC curve (AUC), plain and within groups.

The AUC is the chance that of a rejected and a kept picture the rejected one has the higher score; ties count half.
"""

from collections.abc import Hashable, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import rankdata

from feedback.statistics import Interval

Z = 1.959964
RESAMPLES = 1_000
TINY = 1e-9


class Auc(NamedTuple):
    """An AUC with its 95 % interval, and the pictures that it rests on."""

    value: float
    low: float
    high: float
    rejects: int
    keeps: int

    @property
    def n(self) -> int:
        return self.rejects + self.keeps


def auc(scores: ArrayLike, is_reject: ArrayLike) -> float | None:
    """The AUC, over all pairs of a reject and a keep (Mann and Whitney's U); None without a pair.

    >>> auc([0.1, 0.4, 0.35, 0.8], [False, False, True, True])
    0.75
    """
    won, pairs = _pairs(np.asarray(scores, float), np.asarray(is_reject, bool))
    return won / pairs if pairs else None


def auc_within(scores: ArrayLike, is_reject: ArrayLike, groups: Sequence[Hashable]) -> float | None:
    """The AUC over the pairs within each group, every pair with the same weight; None without a pair.

    >>> auc_within([1, 2, 5, 4], [False, True, False, True], ["a", "a", "b", "b"])
    0.5
    """
    won, pairs = _pairs_by_group(scores, is_reject, groups).sum(axis=0)
    return float(won / pairs) if pairs else None


def auc_interval(scores: ArrayLike, is_reject: ArrayLike) -> Auc | None:
    """The AUC with its 95 % interval; None without a pair.

    Source: Newcombe 2006, method 5: the values whose own standard error (Hanley and McNeil 1982) reaches the one
    observed. Unlike DeLong's interval it stays sensible for few pictures and for an AUC of 1.
    """
    value = auc(scores, is_reject)
    if value is None:
        return None
    flags = np.asarray(is_reject, bool)
    rejects, keeps = int(flags.sum()), int((~flags).sum())
    return Auc(value, *_newcombe(value, rejects, keeps), rejects, keeps)


def auc_within_interval(scores: ArrayLike, is_reject: ArrayLike, groups: Sequence[Hashable]) -> Auc | None:
    """The AUC within groups with its 95 % interval; None without a pair.

    `rejects` and `keeps` count the pictures of groups that have both. The interval is a bootstrap of whole groups, as
    their pictures are alike (Field and Welsh 2007); with a single group it is 0 to 1.
    """
    table = _pairs_by_group(scores, is_reject, groups)
    table = table[table[:, 1] > 0]
    if not len(table):
        return None
    won, pairs = table.sum(axis=0)
    interval = Interval(0.0, 1.0)
    if len(table) > 1:
        drawn = np.random.default_rng(0).integers(len(table), size=(RESAMPLES, len(table)))
        sums = table[drawn].sum(axis=1)
        interval = Interval(*map(float, np.quantile(sums[:, 0] / sums[:, 1], (0.025, 0.975))))
    return Auc(float(won / pairs), *interval, *_in_mixed_groups(is_reject, groups))


def _pairs(scores: NDArray[np.float64], is_reject: NDArray[np.bool_]) -> tuple[float, int]:
    """How many pairs the reject wins, half for a tie, and how many there are."""
    rejects = int(is_reject.sum())
    pairs = rejects * (len(scores) - rejects)
    won = rankdata(scores)[is_reject].sum() - rejects * (rejects + 1) / 2 if pairs else 0.0
    return float(won), pairs


def _pairs_by_group(scores: ArrayLike, is_reject: ArrayLike, groups: Sequence[Hashable]) -> NDArray[np.float64]:
    """A row for each group: pairs won, and pairs."""
    values, flags, number = np.asarray(scores, float), np.asarray(is_reject, bool), _numbered(groups)
    order = np.argsort(number, kind="stable")
    ends = np.cumsum(np.bincount(number))[:-1]
    return np.array([_pairs(values[rows], flags[rows]) for rows in np.split(order, ends)], float).reshape(-1, 2)


def _in_mixed_groups(is_reject: ArrayLike, groups: Sequence[Hashable]) -> tuple[int, int]:
    """Rejects and keeps in the groups that have both."""
    number = _numbered(groups)
    table = np.stack([np.bincount(number, np.asarray(is_reject, bool) == kind) for kind in (True, False)])
    rejects, keeps = table[:, (table > 0).all(axis=0)].sum(axis=1)
    return int(rejects), int(keeps)


def _numbered(groups: Sequence[Hashable]) -> NDArray[np.int64]:
    place = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.array([place[group] for group in groups], dtype=np.int64)


def _newcombe(value: float, rejects: int, keeps: int) -> Interval:
    def standard_error(theta: float) -> float:
        each = (rejects + keeps) / 2 - 1
        spread = 1 + each * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return sqrt(theta * (1 - theta) * spread / (rejects * keeps))

    def beyond(theta: float) -> float:
        return abs(value - theta) - Z * standard_error(theta)

    # The standard error is 0 at 0 and at 1, which solve the equation too when they are the observed value.
    low = float(brentq(beyond, 0.0, min(value, 1 - TINY))) if value else 0.0
    high = float(brentq(beyond, max(value, TINY), 1.0)) if value < 1 else 1.0
    return Interval(low, high)
