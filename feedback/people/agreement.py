"""How far raters agree: pure functions of counts of votes (reject, keep) on each image."""

from collections.abc import Sequence

import krippendorff
import numpy as np

Counts = Sequence[tuple[int, int]]
"""Votes on each image: (rejects, keeps). Images with fewer than two votes say nothing and are passed over."""


def percent_agreement(counts: Counts) -> float | None:
    """Share of agreeing pairs of votes, the mean over images; None where no image has two votes.

    >>> percent_agreement([(2, 0), (1, 1)])
    0.5
    """
    votes = _paired(counts)
    if not len(votes):
        return None
    n = votes.sum(axis=1)
    return float(((votes * (votes - 1)).sum(axis=1) / (n * (n - 1))).mean())


def alpha(counts: Counts) -> float | None:
    """Krippendorff's alpha for nominal values: 1 full agreement, 0 as by chance; None where nothing varies.

    Source: Krippendorff 2011, "Computing Krippendorff's alpha-reliability"; by the package `krippendorff`.
    """
    votes = _paired(counts)
    if not len(votes) or not votes.sum(axis=0).all():
        return None  # all votes alike: chance agreement is 1, alpha has no value
    return float(krippendorff.alpha(value_counts=votes, level_of_measurement="nominal"))


def ac1(counts: Counts) -> float | None:
    """Gwet's AC1: agreement beyond chance that, unlike alpha, holds up when nearly all votes are alike.

    Source: Gwet 2008, "Computing inter-rater reliability and its variance in the presence of high agreement",
    British Journal of Mathematical and Statistical Psychology 61, equations 15 and 16 (two categories).

    >>> round(ac1([(2, 0)] * 8 + [(1, 1)] * 2), 4)
    0.7561
    """
    observed = percent_agreement(counts)
    if observed is None:
        return None
    votes = np.asarray(counts, float)
    rated = votes[votes.sum(axis=1) > 0]
    share = float((rated[:, 0] / rated.sum(axis=1)).mean())
    chance = 2 * share * (1 - share)
    return (observed - chance) / (1 - chance)


def _paired(counts: Counts) -> np.ndarray:
    votes = np.asarray(counts, int).reshape(-1, 2)
    return votes[votes.sum(axis=1) >= 2]
