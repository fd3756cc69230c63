"""The cap on one rater: with several raters, no version's rejects in the pool may rest mostly on one of them.

The votes stay. Those beyond the cap, a rater's newest on that version, only do not count in the pool and towards the
next retrain. A curator's verdict rests on no rater.
"""

from collections import defaultdict
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select, union_all
from sqlmodel import Session, col

from feedback.pool.counts import POOLED
from feedback.pool.verdicts import KEEPS, REJECTS, RULED, select_taken_out
from store.tables import CurrentVote, Image, ImageTally, Verdict, VoteCount, utc_now

SHARE = 0.75
"""One rater's rejects are at most this share of a version's, and always FLOOR."""
FLOOR = 50
RECENT_DAYS = 7
"""A rater who voted this recently counts as another rater, even without a vote on the version."""


class Capped(NamedTuple):
    """A rater whose rejects on a version are more than count."""

    version: int
    rater_id: int
    rejects: int
    counted: int


def capped_raters(session: Session, share: float) -> list[Capped]:
    """The raters beyond the cap on a version; nobody while only one person rates."""
    columns = (col(VoteCount.version), col(VoteCount.rater_id))
    rows = session.execute(
        select(*columns, func.sum(col(VoteCount.rejects)), func.max(col(VoteCount.day)))
        .where(col(VoteCount.origin).in_(POOLED), col(VoteCount.rejects) + col(VoteCount.keeps) > 0)
        .group_by(*columns)
    ).all()
    recent = {rater for _, rater, _, day in rows if day >= utc_now().date() - timedelta(days=RECENT_DAYS)}
    on_version: dict[int, dict[int, int]] = defaultdict(dict)
    for version, rater, rejects, _ in rows:
        on_version[version][rater] = rejects
    found = []
    for version, rejects in on_version.items():
        for rater, own in rejects.items():
            counted = _cap(own, sum(rejects.values()) - own, share)
            if own > counted and len(rejects.keys() | recent) > 1:
                found.append(Capped(version, rater, own, counted))
    return found


def _cap(own: int, others: int, share: float) -> int:
    """How many of a rater's rejects count.

    >>> _cap(3000, 100, 0.75), _cap(3000, 0, 0.75), _cap(3000, 100, 1)
    (300, 50, 3000)
    """
    return own if share >= 1 else max(FLOOR, int(share / (1 - share) * others + 1e-9))


def select_beyond_cap(session: Session, share: float) -> Select | None:
    """Query: the rejects of the pool that are none without the votes beyond the cap; None when nobody is capped."""
    if not (capped := capped_raters(session, share)):
        return None
    beyond = union_all(*(_votes_beyond(one) for one in capped)).subquery()
    return (
        select(beyond.c.image_id)
        .join(ImageTally, col(ImageTally.image_id) == beyond.c.image_id)
        .where(RULED.is_(None), REJECTS > KEEPS)
        .group_by(beyond.c.image_id, REJECTS, KEEPS)
        .having(REJECTS - func.count() <= KEEPS)
    )


def _votes_beyond(one: Capped) -> Any:
    votes = (
        select(col(CurrentVote.image_id))
        .join(Image, col(Image.id) == CurrentVote.image_id)
        .where(col(CurrentVote.rater_id) == one.rater_id, col(CurrentVote.verdict) == Verdict.reject)
        .where(col(Image.version) == one.version, col(Image.origin).in_(POOLED))
        .where(col(CurrentVote.image_id).not_in(select_taken_out()))  # these use up nobody's share
        .order_by(col(CurrentVote.vote_id))
        .offset(one.counted)
    )
    return select(votes.subquery().c.image_id)
