"""How much likeness to the rejects and departure from the prompt count in a version's score: its votes decide."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from feedback.check.calibration import Floats, sigmoid

RATIO, HOLD = 2.0, 10.0
"""Likeness is taken to tell twice as much as departure, in units of z-scores: the weights are drawn to that ratio, by
as much as about two hundred votes can outweigh."""
TINY = 1e-6
"""A spread that is smaller, relative to the values, is only rounding."""


def weigh(evidence: ArrayLike, is_reject: ArrayLike) -> tuple[float, float]:
    """The weights of a logistic regression of the verdicts on the two columns of `evidence` (B, 2), 0 or above.

    Needs at least one of each verdict. The weight of a column that tells nothing apart, or tells it the wrong way
    round, is 0.

    >>> weigh([[0, 1], [0, 2]], [False, True])[0]
    0.0
    """
    from scipy.optimize import minimize

    columns, flags = np.asarray(evidence, float), np.asarray(is_reject, float)
    spread = columns.std(axis=0)
    varies = spread > TINY * np.abs(columns).max(axis=0)
    scale = np.where(varies, spread, 1.0)
    z = np.where(varies, (columns - columns.mean(axis=0)) / scale, 0.0)

    def loss(given: np.ndarray) -> tuple[float, np.ndarray]:
        u = z @ given[:2] + given[2]
        apart = given[0] - RATIO * given[1]
        value = np.logaddexp(0, u).sum() - flags @ u + HOLD / 2 * apart**2
        wrong = sigmoid(u) - flags
        return float(value), np.append(z.T @ wrong + HOLD * apart * np.array([1, -RATIO]), wrong.sum())

    bounds = [(0.0, None), (0.0, None), (None, None)]
    found = minimize(loss, np.zeros(3), jac=True, method="L-BFGS-B", bounds=bounds).x[:2]
    first, second = np.where(varies, found / scale, 0.0)
    return float(first), float(second)


def score_by_other_folds(evidence: ArrayLike, is_reject: ArrayLike, folds: Sequence[int]) -> Floats:
    """The score (B,) of each picture, with the weights that the votes of the other folds give.

    Where those have only one verdict, the weights of all votes count.
    """
    columns, flags, number = np.asarray(evidence, float), np.asarray(is_reject, bool), np.asarray(folds)
    scores = np.zeros(len(columns))
    for fold in np.unique(number):
        others = number != fold
        if len(np.unique(flags[others])) < 2:
            others[:] = True
        scores[number == fold] = columns[number == fold] @ np.array(weigh(columns[others], flags[others]))
    return scores
