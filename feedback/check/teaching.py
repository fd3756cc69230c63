"""How much a vote on a picture would teach, as far as checks can tell; arithmetic only."""

from collections.abc import Sequence

COMMITTEE = 2
"""So many of the newest versions are heard."""


def worth(chances: Sequence[float]) -> float:
    """How unsure versions are of a picture, 0 to 1, by the chance that each gives it of being rejected.

    1 where their mean is one half: each of them doubts, or they contradict each other. 0 without a chance. Source:
    Settles 2009 (Active Learning Literature Survey), 3.2, soft votes of a committee.

    >>> worth([0.5]), worth([0.9, 0.1]), worth([1.0, 1.0]), worth([])
    (1.0, 1.0, 0.0, 0.0)
    """
    return 1 - abs(2 * sum(chances) / len(chances) - 1) if chances else 0.0
