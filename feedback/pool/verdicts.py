"""What several votes on one image mean together."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func
from sqlmodel import col, select

from store.tables import Control, PoolAction, PoolEvent, Rater, Verdict, Vote


class Outcome(StrEnum):
    """The verdict of an image."""

    reject = "reject"
    keep = "keep"
    disputed = "disputed"
    unrated = "unrated"


def outcome(votes: Iterable[Verdict]) -> Outcome:
    """The majority of the current votes; a tie is disputed, skips do not count.

    >>> outcome([Verdict.reject, Verdict.skip])
    <Outcome.reject: 'reject'>
    """
    counts = Counter(votes)
    return outcome_of_counts(counts[Verdict.reject], counts[Verdict.keep])


def outcome_of_counts(rejects: int, keeps: int) -> Outcome:
    """The verdict from the numbers of current reject and keep votes."""
    if rejects + keeps == 0:
        return Outcome.unrated
    if rejects == keeps:
        return Outcome.disputed
    return Outcome.reject if rejects > keeps else Outcome.keep


def is_counted(rater_id: Any) -> ColumnElement[bool]:
    """Condition: votes of that rater count. The one place where the votes of excluded raters are left out."""
    return col(rater_id).not_in(select(Rater.id).where(col(Rater.is_excluded)))


def current_votes(rater_id: int | None = None) -> Select:
    """Rows (image_id, rater_id, verdict, id): each rater's newest word on each image, `undo` included.

    By row id, not by clock: raters' and servers' clocks may go backwards. Raters whose votes were excluded are left
    out. With `rater_id`, that rater's alone, counted or not.
    """
    newest = select(func.max(col(Vote.id))).group_by(col(Vote.image_id), col(Vote.rater_id))
    newest = newest.where(is_counted(Vote.rater_id) if rater_id is None else Vote.rater_id == rater_id)
    return select(Vote.image_id, Vote.rater_id, Vote.verdict, Vote.id).where(col(Vote.id).in_(newest))


def counts_by_image() -> Select:
    """Rows (image_id, rejects, keeps) over the current votes, one for every image that ever had one; no controls."""
    votes = current_votes().subquery()
    return (
        select(
            votes.c.image_id,
            func.sum(case((votes.c.verdict == Verdict.reject, 1), else_=0)).label("rejects"),
            func.sum(case((votes.c.verdict == Verdict.keep, 1), else_=0)).label("keeps"),
        )
        .where(votes.c.image_id.not_in(select(Control.image_id)))
        .group_by(votes.c.image_id)
    )


def select_taken_out() -> Select:
    """Query: the images that a person took out of the pool and nobody put back since."""
    newest = select(func.max(col(PoolEvent.id))).group_by(col(PoolEvent.image_id))
    return select(PoolEvent.image_id).where(col(PoolEvent.id).in_(newest), col(PoolEvent.action) == PoolAction.exclude)
