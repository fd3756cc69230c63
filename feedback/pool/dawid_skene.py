"""What several raters of unequal care mean together: Dawid and Skene's model for two verdicts.

Written out here, because crowd-kit 1.4.2 brings nine packages (scikit-learn, nltk), takes two to four seconds to import
and warns under pandas 3.1 that it will not run under pandas 4. The tests hold it to crowd-kit's figures within 0.002.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

STEPS = 1000
ENOUGH = 1e-7
LEAST, MOST = 1e-300, 700.0  # what logarithm and exponential can take


class Consensus(NamedTuple):
    """Chance that each image is a reject, and each rater's accuracy: mean share of rejects and of keeps told right."""

    reject: dict[int, float]
    accuracy: dict[int, float]


def dawid_skene(votes: Sequence[tuple[int, int, bool]], smoothing: float = 1.0) -> Consensus:
    """The consensus of votes (image, rater, is_reject), by expectation and maximisation from the majority.

    `smoothing` is added to each cell of a rater's confusion matrix, so that a rater with few votes is not taken for
    perfect. Source: Dawid and Skene 1979, "Maximum likelihood estimation of observer error-rates using the EM
    algorithm", Applied Statistics 28, equations 2.3 to 2.5.

    >>> careful = [(i, rater, i % 2 == 0) for i in range(8) for rater in (1, 2)]
    >>> found = dawid_skene(careful + [(i, 3, True) for i in range(8)])
    >>> found.reject[0] > 0.9, found.reject[1] < 0.1, found.accuracy[1] > found.accuracy[3]
    (True, True, True)
    """
    if not votes:
        return Consensus({}, {})
    image_ids, rater_ids, said = np.array(votes, dtype=np.int64).T
    images, at_image = np.unique(image_ids, return_inverse=True)
    raters, at_rater = np.unique(rater_ids, return_inverse=True)
    cell = at_rater * 2 + said  # a rater's votes of one kind
    given = np.bincount(cell, minlength=2 * len(raters))
    belief = np.bincount(at_image, said) / np.bincount(at_image)
    for _ in range(STEPS):
        rejects = np.bincount(cell, belief[at_image], minlength=2 * len(raters))
        told = np.stack([given - rejects, rejects]).reshape(2, -1, 2) + smoothing  # [truth, rater, said]
        confusion = told / told.sum(axis=2, keepdims=True)
        logs = np.log(np.maximum(confusion, LEAST))
        prior = np.log(max(belief.mean(), LEAST)) - np.log(max(1 - belief.mean(), LEAST))
        odds = prior + np.bincount(at_image, (logs[1] - logs[0]).ravel()[cell])
        before, belief = belief, 1 / (1 + np.exp(-np.clip(odds, -MOST, MOST)))
        if np.abs(belief - before).max() < ENOUGH:
            break
    right = confusion[(0, 1), :, (0, 1)].mean(axis=0)
    return Consensus(
        dict(zip(images.tolist(), belief.tolist(), strict=True)),
        dict(zip(raters.tolist(), right.tolist(), strict=True)),
    )
