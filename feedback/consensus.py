"""What several raters of unequal care mean together: Dawid and Skene's model for two verdicts.

Written out here, because crowd-kit 1.4.2 brings nine packages (scikit-learn, nltk), takes two to four seconds to import
and warns under pandas 3.1 that it will not run under pandas 4. The tests hold it to crowd-kit's figures within 0.002.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

STEPS = 1000
ENOUGH = 1e-7


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
    images, at_image = np.unique([vote[0] for vote in votes], return_inverse=True)
    raters, at_rater = np.unique([vote[1] for vote in votes], return_inverse=True)
    said = np.array([int(vote[2]) for vote in votes])
    first = np.bincount(at_image, said) / np.bincount(at_image)
    belief = np.stack([1 - first, first], axis=1)
    for _ in range(STEPS):
        logs = np.empty_like(belief)
        confusion = np.empty((len(raters), 2, 2))  # [rater, truth, said]
        for truth in (0, 1):
            told = np.bincount(at_rater * 2 + said, belief[at_image, truth], minlength=2 * len(raters)).reshape(-1, 2)
            confusion[:, truth] = (told + smoothing) / (told + smoothing).sum(axis=1, keepdims=True)
            likely = np.log(np.maximum(confusion[at_rater, truth, said], 1e-300))
            prior = np.log(max(belief[:, truth].mean(), 1e-300))
            logs[:, truth] = prior + np.bincount(at_image, likely)
        before, belief = belief, np.exp(logs - logs.max(axis=1, keepdims=True))
        belief /= belief.sum(axis=1, keepdims=True)
        if np.abs(belief - before).max() < ENOUGH:
            break
    right = confusion[:, (0, 1), (0, 1)].mean(axis=1)
    return Consensus(
        dict(zip(images.tolist(), belief[:, 1].tolist(), strict=True)),
        dict(zip(raters.tolist(), right.tolist(), strict=True)),
    )
