"""Numbers, times and sizes as people say them."""

from datetime import datetime, timedelta

import humanize

from store.tables import utc_now


def percent(share: float) -> str:
    """
    >>> percent(0.254)
    '25 %'
    """
    return f"{100 * share:.0f} %"


def points(difference: float) -> str:
    """A difference between two shares, in percentage points.

    >>> points(-0.12), points(0.01), points(-0.001)
    ('−12 points', '+1 point', '0 points')
    """
    size = round(100 * difference)
    rounded = f"{size:+d}".replace("-", "−") if size else "0"
    return f"{rounded} point{'' if rounded in ('+1', '−1') else 's'}"


def thousands(n: float) -> str:
    """
    >>> thousands(1200)
    '1,200'
    """
    return f"{n:,.0f}"


def ago(then: datetime, now: datetime | None = None) -> str:
    """How long ago, in the largest unit that fits; both in UTC (SQLite returns times without a zone)."""
    passed = (now or utc_now()).replace(tzinfo=None) - then.replace(tzinfo=None)
    return humanize.naturaltime(max(passed, timedelta(0)))


def size(number_of_bytes: float) -> str:
    """
    >>> size(1_230_000)
    '1.2 MB'
    """
    return humanize.naturalsize(number_of_bytes)
