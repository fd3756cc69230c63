"""The figures the slow way: from every vote ever given, for the tests to hold the counters to."""

from sqlalchemy import Select, case, func
from sqlmodel import col, select

from feedback.pool.verdicts import is_counted
from store.tables import Verdict, Vote


def current_votes() -> Select:
    """Rows (image_id, rater_id, verdict, id): the newest press of each rater on each image, `undo` included.

    By row id, not by clock: raters' and servers' clocks may go backwards. Raters whose votes were excluded are left
    out.
    """
    newest = select(func.max(col(Vote.id))).group_by(col(Vote.image_id), col(Vote.rater_id))
    newest = newest.where(is_counted(Vote.rater_id))
    return select(Vote.image_id, Vote.rater_id, Vote.verdict, Vote.id).where(col(Vote.id).in_(newest))


def counts_by_image() -> Select:
    """Rows (image_id, rejects, keeps) over the current votes, one for every image that ever had one."""
    votes = current_votes().subquery()
    return select(
        votes.c.image_id,
        func.sum(case((votes.c.verdict == Verdict.reject, 1), else_=0)).label("rejects"),
        func.sum(case((votes.c.verdict == Verdict.keep, 1), else_=0)).label("keeps"),
    ).group_by(votes.c.image_id)
