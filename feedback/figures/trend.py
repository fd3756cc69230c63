"""Rejects as the votes come: a point for every so many votes on a version's pictures."""

from itertools import count
from typing import NamedTuple

from sqlalchemy import Engine, Select, case, func, select
from sqlmodel import Session, col

from feedback.pool.counts import VOTES, is_vote
from feedback.pool.verdicts import is_counted
from feedback.statistics import Fraction
from store.engine import reading
from store.tables import CurrentVote, Image, Origin, Reason, Verdict, Vote, VoteCount, VoteReason

NEWEST = 8_000
"""The newest key presses, this many, are counted: more would hold up the page."""
MOST = 24
"""Points along the votes."""


class Window(NamedTuple):
    """Votes in a row on sampled pictures of one `version`, and the rejects among them.

    `start` and `end` count the votes on all versions: up to the first one of these, and up to the last one.
    """

    version: int
    start: int
    end: int
    rejects: Fraction


def window_size(votes: int) -> int:
    """How many votes share a point: 50, and more where there would be too many points.

    >>> [window_size(votes) for votes in (0, 1200, 1201, 10_000)]
    [50, 50, 100, 500]
    """
    sizes = (step * 10**power for power in count(1) for step in (5, 10, 20))
    return next(size for size in sizes if votes <= MOST * size)


def windows(engine: Engine, reason: Reason | None = None) -> list[Window]:
    """The votes that count, by version, oldest first; with a `reason`, only rejects that name it are rejects."""
    with reading(engine) as session:
        votes = _count_votes(session)
        size = window_size(min(votes, NEWEST))
        newest = _newest(reason).subquery()
        part = (newest.c.own_place - 1) // size
        rows = session.execute(
            select(
                newest.c.version,
                votes - func.max(newest.c.place),
                votes - func.min(newest.c.place) + 1,
                func.sum(newest.c.is_reject),
                func.count(),
            )
            .group_by(newest.c.version, part)
            .order_by(newest.c.version, part)
        ).all()
    found = [Window(version, start, end, Fraction(rejects, n)) for version, start, end, rejects, n in rows]
    return join_small(found, size)


def join_small(found: list[Window], size: int) -> list[Window]:
    """Adds a version's last votes to those before them while they are fewer than half a window.

    >>> join_small([Window(0, 0, 50, Fraction(9, 50)), Window(0, 50, 54, Fraction(1, 4))], 50)
    [Window(version=0, start=0, end=54, rejects=Fraction(part=10, whole=54))]
    """
    joined: list[Window] = []
    for one in found:
        before = joined[-1] if joined and joined[-1].version == one.version else None
        if before is None or one.rejects.whole >= size / 2:
            joined.append(one)
            continue
        both = Fraction(before.rejects.part + one.rejects.part, before.rejects.whole + one.rejects.whole)
        joined[-1] = Window(one.version, before.start, one.end, both)
    return joined


def _count_votes(session: Session) -> int:
    votes = select(func.coalesce(func.sum(VOTES), 0)).where(col(VoteCount.origin) == Origin.sampled)
    return session.execute(votes).scalar_one()


def _newest(reason: Reason | None) -> Select:
    """Rows: version, whether it is a reject, its place from the newest vote on, and from the version's oldest on."""
    first = select(func.max(col(Vote.id)) - NEWEST).scalar_subquery()
    is_so = col(CurrentVote.verdict) == Verdict.reject
    if reason is not None:
        is_so &= (
            select(col(VoteReason.vote_id))
            .where(col(VoteReason.vote_id) == Vote.id, col(VoteReason.reason) == reason)
            .exists()
        )
    return (
        select(
            col(Image.version).label("version"),
            case((is_so, 1), else_=0).label("is_reject"),
            func.row_number().over(order_by=col(Vote.id).desc()).label("place"),
            func.row_number().over(partition_by=col(Image.version), order_by=col(Vote.id)).label("own_place"),
        )
        .select_from(Vote)
        .join(CurrentVote, col(CurrentVote.vote_id) == Vote.id)
        .join(Image, col(Image.id) == Vote.image_id)
        .where(col(CurrentVote.image_id) == Vote.image_id, col(CurrentVote.rater_id) == Vote.rater_id)
        .where(col(Vote.id) > first, col(Image.origin) == Origin.sampled, is_vote(), is_counted(CurrentVote.rater_id))
    )
