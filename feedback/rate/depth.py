"""How deep the queue must be: raters go on at their present pace."""

from datetime import UTC, datetime, timedelta
from math import ceil

from sqlalchemy import Engine
from sqlmodel import col, select

from store.engine import reading
from store.tables import Verdict, Vote, utc_now

PACE_OF, AT_LEAST = timedelta(minutes=5), timedelta(minutes=1)
LOOKED_AT = 1000
"""The newest votes; more than so many in that time count as so many in the time that they took."""

RESERVE = 1.25
"""So many times the pictures are wanted, because both figures are estimates."""


def votes_a_minute(engine: Engine, now: datetime | None = None) -> float:
    """How fast people vote now, by the last five minutes, or since they began in them; 0 where nobody did."""
    now = now or utc_now()
    newest = select(Vote.received_at, Vote.verdict).order_by(col(Vote.id).desc()).limit(LOOKED_AT)
    with reading(engine) as session:
        votes = [(_utc(at), verdict) for at, verdict in session.exec(newest)]
    recent = [at for at, verdict in votes if at > now - PACE_OF and verdict is not Verdict.undo]
    return len(recent) / (max(AT_LEAST, now - min(recent)) / timedelta(minutes=1)) if recent else 0.0


def pictures_for(seconds: float, pace: float, overlap: int) -> int:
    """Pictures that raters judge in that time at so many votes a minute, each by `overlap` of them, with a reserve.

    >>> pictures_for(600, 12.0, 1), pictures_for(600, 12.0, 2), pictures_for(600, 0.0, 1)
    (150, 75, 0)
    """
    return ceil(RESERVE * seconds / 60 * pace / overlap)


def _utc(then: datetime) -> datetime:
    """SQLite gives times without a zone."""
    return then if then.tzinfo else then.replace(tzinfo=UTC)
