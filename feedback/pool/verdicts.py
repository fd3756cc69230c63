"""What several votes on one image mean together, and what a curator's verdict in their place means."""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, func
from sqlmodel import col, select

from store.tables import ImageTally, PoolAction, PoolEvent, Rater, Verdict

IN_OR_OUT = (PoolAction.exclude, PoolAction.restore)
RULINGS = (PoolAction.reject, PoolAction.keep, PoolAction.follow)
"""A curator's verdict in place of the votes', or none again."""
REJECTS, KEEPS, RULED = col(ImageTally.rejects), col(ImageTally.keeps), col(ImageTally.ruled)


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


def outcome_of_counts(rejects: int, keeps: int, ruled: Verdict | None = None) -> Outcome:
    """The verdict from the numbers of current reject and keep votes, and from what a curator `ruled`.

    >>> outcome_of_counts(2, 1, Verdict.keep)
    <Outcome.keep: 'keep'>
    """
    if ruled is not None:
        return Outcome(ruled.value)
    if rejects + keeps == 0:
        return Outcome.unrated
    if rejects == keeps:
        return Outcome.disputed
    return Outcome.reject if rejects > keeps else Outcome.keep


def is_counted(rater_id: Any) -> ColumnElement[bool]:
    """Condition: votes of that rater count. The one place where the votes of excluded raters are left out."""
    return col(rater_id).not_in(select(Rater.id).where(col(Rater.is_excluded)))


def is_rejected() -> ColumnElement[bool]:
    """Condition on a row of `ImageTally`: the verdict is reject."""
    return RULED.is_not_distinct_from(Verdict.reject) | (RULED.is_(None) & (REJECTS > KEEPS))


def is_kept() -> ColumnElement[bool]:
    """Condition on a row of `ImageTally`: the verdict is keep."""
    return RULED.is_not_distinct_from(Verdict.keep) | (RULED.is_(None) & (REJECTS < KEEPS))


def is_judged() -> ColumnElement[bool]:
    """Condition on a row of `ImageTally`: there is a verdict."""
    return RULED.is_not(None) | (REJECTS != KEEPS)


def is_disputed() -> ColumnElement[bool]:
    """Condition on a row of `ImageTally`: as many rejects as keeps, and no curator's verdict."""
    return RULED.is_(None) & (REJECTS == KEEPS) & (REJECTS > 0)


def select_taken_out() -> Select:
    """Query: the images that a person took out of the pool and nobody put back since."""
    return select(PoolEvent.image_id).where(
        col(PoolEvent.id).in_(_newest(IN_OR_OUT)), col(PoolEvent.action) == PoolAction.exclude
    )


def select_rulings() -> Select:
    """Query: (image_id, verdict) of the images that have a curator's verdict."""
    return select(PoolEvent.image_id, cast(PoolEvent.action, String)).where(
        col(PoolEvent.id).in_(_newest(RULINGS)), col(PoolEvent.action) != PoolAction.follow
    )


def _newest(actions: Sequence[PoolAction]) -> Select:
    return (
        select(func.max(col(PoolEvent.id))).where(col(PoolEvent.action).in_(actions)).group_by(col(PoolEvent.image_id))
    )
