"""Pictures given to the same rater twice: does the rater judge them the same way again?"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from store.tables import Repeat, Verdict, Vote

Again = aliased(Vote)
JUDGEMENTS = (Verdict.reject, Verdict.keep)


class Answer(NamedTuple):
    """A rater's two verdicts on one picture, reject or keep each."""

    rater_id: int
    image_id: int
    first: Verdict
    second: Verdict

    @property
    def is_same(self) -> bool:
        return self.first is self.second


def repeat_answers(session: Session, rater_id: int | None = None) -> list[Answer]:
    """Every repeat that was judged, in order; the newest vote after the first is the answer.

    Skips and votes that were taken back do not count, nor do repeats of votes that looked like slips: those were not
    chosen at random, and more of them differ.
    """
    newest = (
        select(func.max(Again.id))
        .where(Again.rater_id == Repeat.rater_id, Again.image_id == Repeat.image_id)
        .where(col(Again.id) > Repeat.first_vote_id)
        .correlate(Repeat)
        .scalar_subquery()
    )
    rows = (
        select(Repeat.rater_id, Repeat.image_id, Vote.verdict, Again.verdict)
        .join(Vote, col(Vote.id) == Repeat.first_vote_id)
        .join(Again, col(Again.id) == newest)
    )
    rows = rows.where(~col(Repeat.is_look))
    if rater_id is not None:
        rows = rows.where(Repeat.rater_id == rater_id)
    found = session.exec(rows.where(col(Again.verdict).in_(JUDGEMENTS)).order_by(col(Repeat.id)))
    return [Answer(rater, image, Verdict(first), Verdict(second)) for rater, image, first, second in found]


def answered_repeats(session: Session, rater_id: int, now: datetime) -> tuple[int, int]:
    """How many repeats a rater has judged on the same day as the first time: in all, and today (UTC).

    A rater's own count goes up with them; otherwise a rater could tell which pictures are repeats.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    later = (
        select(Again.id)
        .where(Again.rater_id == rater_id, Again.image_id == Repeat.image_id)
        .where(col(Again.id) > Repeat.first_vote_id)
        .exists()
    )
    firsts = list(
        session.exec(
            select(Vote.received_at)
            .join(Repeat, col(Repeat.first_vote_id) == Vote.id)
            .where(Repeat.rater_id == rater_id, later)
        )
    )
    return len(firsts), sum(first.replace(tzinfo=midnight.tzinfo) >= midnight for first in firsts)
