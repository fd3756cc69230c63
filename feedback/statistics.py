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
MOST_STAKE = 0.9  # of what one pair can lose, so that no pair loses everything


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


def rate_difference(new: Fraction, old: Fraction, z: float = 1.959964) -> Interval:
    """Interval of the change from one proportion to another of other pictures, from their Wilson intervals.

    (-1, 1) when one of them was not observed.
    Source: Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10.

    >>> tuple(round(x, 4) for x in rate_difference(Fraction(56, 70), Fraction(48, 80)))
    (0.0524, 0.3339)
    """
    if new.value is None or old.value is None:
        return Interval(-1.0, 1.0)
    one, other, change = wilson(*new, z), wilson(*old, z), new.value - old.value
    return Interval(
        change - sqrt((new.value - one.low) ** 2 + (other.high - old.value) ** 2),
        change + sqrt((one.high - new.value) ** 2 + (old.value - other.low) ** 2),
    )


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


def log_e_value(mended: float, spoilt: float, alike: float = 0, at_least: float = 0.0) -> float:
    """Log e-value against "the rate changes by `at_least` or more"; 0.0: "no fewer rejects than before". One-sided.

    Under that null it ever reaches 1/alpha with probability at most alpha, however often one looks (Ville 1939).
    A pair's change x is -1 (mended), 0 or 1 (spoilt). Each alternative p of the mixture stakes the share 2p - 1 of what
    it has on x falling below the null: a pair multiplies it by 1 + stake (at_least - x), whose mean is at most 1.
    At 0.0 this is the mixture likelihood ratio of the discordant pairs against 1/2.
    Source: Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021; betting: Waudby-Smith and Ramdas 2024.

    >>> log_e_value(0, 0), log_e_value(30, 10) > log(20)
    (0.0, True)
    """
    terms = []
    for p, weight in MIXTURE:
        stake = min(2 * p - 1, MOST_STAKE / (1 - at_least)) if at_least < 1 else 2 * p - 1
        won, lost, kept = (log1p(stake * (at_least - x)) for x in (-1, 1, 0))
        terms.append(log(weight) + mended * won + spoilt * lost + alike * kept)
    most = max(terms)
    return most + log(sum(exp(term - most) for term in terms))


def watched_difference(mended: int, spoilt: int, alike: int, alpha: float = ALPHA) -> Interval:
    """The change of a rate over pairs: each end holds with probability 1 - alpha, however often one looks.

    The ends are where the e-value above reaches 1/alpha, so 0 lies outside exactly when the gate decides. The interval
    of `paired_difference` is narrower, but holds only for somebody who looks once, at a number of pairs set before.

    >>> watched_difference(0, 0, 0)
    Interval(low=-1.0, high=1.0)
    >>> tuple(round(x, 2) for x in watched_difference(12, 2, 32))
    (-0.43, -0.01)
    """

    def highest(mended: int, spoilt: int) -> float:
        def is_inside(change: float) -> bool:
            return log_e_value(mended, spoilt, alike, change) < log(1 / alpha)

        return 1.0 if is_inside(1.0) else _edge(is_inside, 1.0, -1.0)

    return Interval(-highest(spoilt, mended), highest(mended, spoilt))


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
