"""Statistics of votes: pure functions of counts."""

from collections.abc import Callable, Sequence
from math import exp, inf, lgamma, log, log1p, sqrt
from typing import NamedTuple

ALPHA = 0.05

# Alternatives for the probability that the challenger wins a discordant pair, each with its weight. Under the null this
# probability is at most 1/2, so each term, and therefore the mixture, has an expectation of at most 1. The alternatives
# are the effects to be found: 2/3 (a rate of 0.40 lowered to 0.30 with 30 % of the pairs discordant), 0.86
# (lowered to 0.15), and with a small weight 0.58 (small effects over many pairs).
MIXTURE = ((0.58, 0.1), (2 / 3, 0.6), (0.86, 0.3))


class Interval(NamedTuple):
    low: float
    high: float


def wilson(successes: int, n: int, z: float = 1.959964) -> Interval:
    """Wilson score interval of a proportion; (0, 1) when nothing was observed.

    Source: Wilson 1927; Brown, Cai and DasGupta 2001.

    >>> tuple(round(x, 4) for x in wilson(10, 40))
    (0.1419, 0.4019)
    """
    if n == 0:
        return Interval(0.0, 1.0)
    p, z2 = successes / n, z * z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


class Fraction(NamedTuple):
    """`part` of `whole`."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> Interval:
        """95 % Wilson interval."""
        return wilson(self.part, self.whole)


def paired_difference(mended: int, broke: int, n: int, z: float = 1.959964) -> Interval:
    """95 % interval of the change of a rate over n pairs.

    In `mended` pairs a reject became a keep, in `broke` the reverse.
    Adding half a pair to each of the four cells keeps the coverage near 95 % for small counts.
    Source: Agresti and Min 2005, "Simple improved confidence intervals for comparing matched proportions".

    >>> tuple(round(x, 3) for x in paired_difference(30, 5, 100))
    (-0.35, -0.14)
    """
    if n == 0:
        return Interval(-1.0, 1.0)
    b, c, total = mended + 0.5, broke + 0.5, n + 2
    difference = (c - b) / total
    half = z * sqrt((b + c) - (b - c) ** 2 / total) / total
    return Interval(max(-1.0, difference - half), min(1.0, difference + half))


def log_e_value(mended: float, spoilt: float) -> float:
    """Log e-value against "pairs are spoilt at least as often as mended": one-sided, on discordant pairs.

    Under that null it ever reaches 1/alpha with probability at most alpha, however often one looks (Ville 1939).
    Source: mixture likelihood ratio against 1/2, Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021.

    >>> log_e_value(0, 0), log_e_value(30, 10) > log(20)
    (0.0, True)
    """
    terms = [log(w) + mended * log(2 * p) + spoilt * log(2 * (1 - p)) for p, w in MIXTURE]
    most = max(terms)
    return most + log(sum(exp(term - most) for term in terms))


def confidence_sequence(successes: int, n: int, alpha: float = ALPHA) -> Interval:
    """An interval for a proportion that covers the truth at every n at once with probability 1 − alpha.

    It may be watched after every vote; Wilson's interval, watched like that, misses the truth in two of five runs.
    Source: beta-binomial mixture with a uniform prior, Robbins 1970.
    """
    if n == 0:
        return Interval(0.0, 1.0)
    failures, mode = n - successes, successes / n
    threshold = lgamma(successes + 1) + lgamma(failures + 1) - lgamma(n + 2) + log(alpha)

    def is_inside(p: float) -> bool:
        likelihood = (successes * log(p) if successes else 0.0) + (failures * log1p(-p) if failures else 0.0)
        return likelihood >= threshold

    return Interval(_edge(is_inside, 0.0, mode), _edge(is_inside, 1.0, mode))


def _edge(is_inside: Callable[[float], bool], outside: float, inside: float) -> float:
    for _ in range(50):
        middle = (outside + inside) / 2
        outside, inside = (outside, middle) if is_inside(middle) else (middle, inside)
    return outside


def mean_interval(values: Sequence[float], z: float = 1.959964) -> Interval:
    """Mean of paired differences, plus and minus z standard errors; the whole line with fewer than two."""
    n = len(values)
    if n < 2:
        return Interval(-inf, inf)
    mean = sum(values) / n
    error = sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)
    return Interval(mean - z * error, mean + z * error)
