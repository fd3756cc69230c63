"""What each figure counts. Every page, command and metric takes its figures from these definitions.

A key press is a row of `vote` and is never changed. The newest press of a rater on a picture is the rater's current
vote (`CurrentVote`). A vote, wherever a figure says so, is a current reject or keep

- of a rater whose votes count (`is_counted`), and
- on a sampled, an asked, an imported or an evaluation picture (`IN_FIGURES`), not on a control.

So a skip is no vote, an undone press is none, and a repeat or a change of mind replaces the first vote. A picture is
judged when its votes give a verdict, reject or keep; with as many rejects as keeps it is disputed. On a picture of the
pool a curator's verdict counts in place of the votes', which stay votes all the same. A picture is drawn
for rating when it is sampled, asked or of an evaluation set; imported ones are rated beside them. Sampled, asked and
imported pictures make the pool (`POOLED`). A version's rate counts only the sampled ones: they are a random sample of
what it draws, and the others are not.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, case, func, select
from sqlmodel import Session, col

from feedback.pool.verdicts import is_disputed, is_kept, is_rejected, select_taken_out
from store.tables import CurrentVote, Image, ImageTally, Origin, Rater, Verdict, VersionTally, VoteCount

POOLED = (Origin.sampled, Origin.asked, Origin.imported)
IN_FIGURES = (*POOLED, Origin.evaluation)
DRAWN = (Origin.sampled, Origin.asked, Origin.evaluation)
VOTES = col(VoteCount.rejects) + col(VoteCount.keeps)


class VoteTotals(NamedTuple):
    """Votes in all and received today (UTC), and how many raters they come from."""

    votes: int
    today: int
    raters: int


class Outcomes(NamedTuple):
    """Pictures by what their votes say."""

    rejects: int
    keeps: int
    disputed: int

    @property
    def judged(self) -> int:
        """Pictures with a verdict."""
        return self.rejects + self.keeps


class RaterDay(NamedTuple):
    """One rater's votes received on one day (UTC)."""

    rater_id: int
    day: date
    rejects: int
    keeps: int

    @property
    def votes(self) -> int:
        return self.rejects + self.keeps


def count_votes(session: Session, today: date) -> VoteTotals:
    """The votes that count."""
    now = func.coalesce(func.sum(case((col(VoteCount.day) >= today, VOTES), else_=0)), 0)
    total, raters = func.coalesce(func.sum(VOTES), 0), func.count(col(VoteCount.rater_id).distinct())
    counted = select(total, now, raters).where(col(VoteCount.origin).in_(IN_FIGURES), VOTES > 0)
    return VoteTotals(*session.execute(counted).one())


def count_drawn(session: Session) -> int:
    """Pictures drawn for rating."""
    return _count_of(session, *DRAWN)


def count_imported(session: Session) -> int:
    """Pictures of other programs, rated beside the drawn ones."""
    return _count_of(session, Origin.imported)


def _count_of(session: Session, *origins: Origin) -> int:
    return session.execute(select(func.count(col(Image.id))).where(col(Image.origin).in_(origins))).scalar_one()


def count_outcomes(session: Session, *origins: Origin, version: int | None = None) -> Outcomes:
    """Pictures of these origins, of one version or of all, by what their votes say."""
    columns = (VersionTally.rejected, VersionTally.kept, VersionTally.disputed)
    rows = select(*(func.coalesce(func.sum(col(column)), 0) for column in columns))
    rows = rows.where(col(VersionTally.origin).in_(origins))
    if version is not None:
        rows = rows.where(col(VersionTally.version) == version)
    return Outcomes(*session.execute(rows).one())


def count_pool(session: Session, version: int | None = None) -> Outcomes:
    """Pictures of the pool by what their votes say, without those that a person took out of it."""
    by_outcome = (is_rejected(), is_kept(), is_disputed())
    rows = (
        select(*(func.coalesce(func.sum(case((is_so, 1), else_=0)), 0) for is_so in by_outcome))
        .join(Image, col(Image.id) == ImageTally.image_id)
        .where(col(Image.origin).in_(POOLED), col(ImageTally.image_id).in_(select_taken_out()))
    )
    if version is not None:
        rows = rows.where(col(Image.version) == version)
    voted, out = count_outcomes(session, *POOLED, version=version), session.execute(rows).one()
    return Outcomes(*(n - taken_out for n, taken_out in zip(voted, out, strict=True)))


def votes_by_rater_and_day(session: Session) -> list[RaterDay]:
    """The votes of each rater by day, oldest first. An excluded rater's are counted here as if they counted."""
    columns = (col(VoteCount.rater_id), col(VoteCount.day))
    rows = session.execute(
        select(*columns, func.sum(col(VoteCount.rejects)), func.sum(col(VoteCount.keeps)))
        .where(col(VoteCount.origin).in_(IN_FIGURES), VOTES > 0)
        .group_by(*columns)
    ).all()
    return sorted(RaterDay(*row) for row in [*rows, *_excluded_by_day(session)])


def _excluded_by_day(session: Session) -> Sequence[Row[Any]]:
    """No counter holds the votes of excluded raters; there are few of them."""
    is_reject = case((col(CurrentVote.verdict) == Verdict.reject, 1), else_=0)
    columns = (col(CurrentVote.rater_id), col(CurrentVote.day))
    excluded = select(col(Rater.id)).where(col(Rater.is_excluded))
    return session.execute(
        select(*columns, func.sum(is_reject), func.sum(1 - is_reject))
        .join(Image, col(Image.id) == CurrentVote.image_id)
        .where(col(CurrentVote.rater_id).in_(excluded), col(Image.origin).in_(IN_FIGURES), is_vote())
        .group_by(*columns)
    ).all()


def is_vote() -> ColumnElement[bool]:
    """Condition on `CurrentVote`: it is a reject or a keep."""
    return col(CurrentVote.verdict).in_([Verdict.reject, Verdict.keep])
