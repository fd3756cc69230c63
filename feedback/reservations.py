"""How long a reservation lasts: a picture for a rater, a piece of work for a worker."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import col

CLAIM_S = 300  # a worker says more often than this that it is still at it


def latest_end(now: datetime, longest_s: float) -> datetime:
    """The latest end that is believed: twice the longest, because the clocks of two machines differ a little."""
    return now + timedelta(seconds=2 * longest_s)


def still_lasts(expires_at: Any, now: Any, latest: Any) -> ColumnElement[bool]:
    """Condition: a reservation has not ended; one that ends too late was made by a clock that was ahead."""
    return (col(expires_at) > now) & (col(expires_at) <= latest)
