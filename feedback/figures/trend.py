"""The loop over time, by day and version, from the counters of votes."""

from datetime import date
from typing import NamedTuple

from sqlalchemy import Engine, func, select
from sqlmodel import col

from feedback.statistics import Interval, wilson
from store.engine import reading
from store.tables import Origin, VoteCount


class Day(NamedTuple):
    """Current votes on the sampled pictures of one version, received on one day (UTC)."""

    day: date
    version: int
    rejects: int
    keeps: int

    @property
    def rate(self) -> float:
        return self.rejects / (self.rejects + self.keeps)

    @property
    def interval(self) -> Interval:
        return wilson(self.rejects, self.rejects + self.keeps)


class Growth(NamedTuple):
    """One day: its votes, and all reject votes until its end."""

    day: date
    votes: int
    rejects_so_far: int


def days(engine: Engine) -> list[Day]:
    """Every day and version with a vote, oldest first."""
    rejects, keeps = func.sum(col(VoteCount.rejects)), func.sum(col(VoteCount.keeps))
    with reading(engine) as session:
        rows = session.execute(
            select(col(VoteCount.day), col(VoteCount.version), rejects, keeps)
            .where(col(VoteCount.origin) == Origin.sampled)
            .group_by(col(VoteCount.day), col(VoteCount.version))
            .order_by(col(VoteCount.day), col(VoteCount.version))
        )
        return [Day(*row) for row in rows if row[2] + row[3]]


def growth(found: list[Day]) -> list[Growth]:
    """Votes a day and the growth of the rejects."""
    by_day: dict[date, tuple[int, int]] = {}
    for day in found:
        votes, rejects = by_day.get(day.day, (0, 0))
        by_day[day.day] = (votes + day.rejects + day.keeps, rejects + day.rejects)
    grown, total = [], 0
    for when, (votes, rejects) in sorted(by_day.items()):
        total += rejects
        grown.append(Growth(when, votes, total))
    return grown
