"""How much likeness to the rejects and departure from the prompt count in a version's score: its votes decide."""

import numpy as np
from numpy.typing import ArrayLike

from feedback.check.calibration import sigmoid

RATIO, HOLD = 2.0, 10.0
"""Likeness is taken to tell twice as much as departure, in units of z-scores, and the weights are held to that so
strongly that a few votes cannot turn it; against some hundred it hardly matters."""


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
    z = (columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0)

    def loss(given: np.ndarray) -> tuple[float, np.ndarray]:
        u = z @ given[:2] + given[2]
        apart = given[0] - RATIO * given[1]
        value = np.logaddexp(0, u).sum() - flags @ u + HOLD / 2 * apart**2
        wrong = sigmoid(u) - flags
        return float(value), np.append(z.T @ wrong + HOLD * apart * np.array([1, -RATIO]), wrong.sum())

    bounds = [(0.0, None), (0.0, None), (None, None)]
    found = minimize(loss, np.zeros(3), jac=True, method="L-BFGS-B", bounds=bounds).x[:2]
    first, second = np.where(spread > 0, found / np.where(spread > 0, spread, 1.0), 0.0)
    return float(first), float(second)
