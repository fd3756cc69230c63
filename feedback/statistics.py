"""Statistics of votes: pure functions of counts."""

from math import sqrt
from typing import NamedTuple


class Interval(NamedTuple):
    low: float
    high: float


def wilson(successes: int, n: int, z: float = 1.959964) -> Interval:
    """Wilson score interval of a proportion; (0, 1) when nothing was observed.

    Source: Wilson 1927; Brown, Cai and DasGupta 2001.

    >>> tuple(round(x, 4) for x in wilson(10, 40))
    (0.1419, 0.402)
    """
    if n == 0:
        return Interval(0.0, 1.0)
    p, z2 = successes / n, z * z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def paired_difference(mended: int, broke: int, n: int, z: float = 1.959964) -> Interval:
    """95 % interval of the change of a rate over n pairs, of which `mended` left it and `broke` came to it.

    Half a pair is added to each of the four cells, which keeps the coverage near 95 % for small counts.
    Source: Agresti and Min 2005, "Simple improved confidence intervals for comparing matched proportions".

    >>> tuple(round(x, 3) for x in paired_difference(30, 5, 100))
    (-0.355, -0.135)
    """
    if n == 0:
        return Interval(-1.0, 1.0)
    b, c, total = mended + 0.5, broke + 0.5, n + 2
    difference = (c - b) / total
    half = z * sqrt((b + c) - (b - c) ** 2 / total) / total
    return Interval(max(-1.0, difference - half), min(1.0, difference + half))
