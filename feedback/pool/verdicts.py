"""What several votes on one image mean together."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, func
from sqlmodel import col, select

from store.tables import PoolAction, PoolEvent, Rater, Verdict


class Outcome(StrEnum):
    """The verdict of an image."""

    reject = "reject"
    keep = "keep"
    disputed = "disputed"
    unrated = "unrated"


def outcome(votes: Iterable[Verdict]) -> Outcome:
    """What the majority of the current votes says; a tie is disputed, skips do not count.

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


def select_taken_out() -> Select:
    """Query: the images that a person took out of the pool and nobody put back since."""
    newest = select(func.max(col(PoolEvent.id))).group_by(col(PoolEvent.image_id))
    return select(PoolEvent.image_id).where(col(PoolEvent.id).in_(newest), col(PoolEvent.action) == PoolAction.exclude)
