"""Votes that are up for another look (`feedback.check.slips`): which still are, and what came of the others."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, case, func
from sqlalchemy import select as select_rows
from sqlmodel import Session, col, select

from feedback.succession import newest_trained
from store.tables import CurrentVote, Image, ImageTally, Origin, Rater, SecondLook, Verdict, Vote

COUNTED = col(ImageTally.rejects) + col(ImageTally.keeps)


class Looks(NamedTuple):
    """A rater's votes that looked like slips: `waiting` for another look, `taken`, of which `changed` gave a picture
    another verdict or none."""

    waiting: int = 0
    taken: int = 0
    changed: int = 0


NO_LOOKS = Looks()


class Doubt(NamedTuple):
    """A vote that waits for another look: who gave it, what it says, and the chance of a reject by version `by`."""

    rater: str
    verdict: Verdict
    chance: float
    by: int


def is_waiting() -> ColumnElement[bool]:
    """Condition on a row of `SecondLook`: the newest version's check doubts the vote, which still stands, and neither
    another vote nor a curator's verdict counts on the picture."""
    stands = select(CurrentVote.vote_id).where(
        CurrentVote.image_id == SecondLook.image_id,
        CurrentVote.rater_id == SecondLook.rater_id,
        CurrentVote.vote_id == SecondLook.vote_id,
    )
    is_only = select(ImageTally.image_id).where(ImageTally.image_id == SecondLook.image_id, COUNTED == 1)
    is_only = is_only.where(col(ImageTally.ruled).is_(None))
    stands, is_only = stands.correlate(SecondLook), is_only.correlate(SecondLook)
    return (col(SecondLook.version) == newest_trained()) & stands.exists() & is_only.exists()


def was_contradicted(image_id: Any) -> ColumnElement[bool]:
    """Condition: a check has contradicted the only vote on the image; further votes are there because of that."""
    return select(SecondLook.vote_id).where(SecondLook.image_id == image_id).exists()


def select_waiting() -> Select:
    """Query: the images with a vote that waits for another look."""
    return select_rows(col(SecondLook.image_id)).where(is_waiting())


def doubts_on(session: Session, images: Sequence[int]) -> dict[int, Doubt]:
    """The votes that wait for another look, by image, among these images."""
    columns = (SecondLook.image_id, Rater.name, Vote.verdict, SecondLook.chance, SecondLook.version)
    rows = (
        select_rows(*map(col, columns))
        .join(Vote, col(Vote.id) == SecondLook.vote_id)
        .join(Rater, col(Rater.id) == SecondLook.rater_id)
        .where(col(SecondLook.image_id).in_(images), is_waiting())
    )
    return {image: Doubt(*doubt) for image, *doubt in session.execute(rows)}


def count_waiting(session: Session) -> int:
    """How many votes wait for another look."""
    return session.execute(select_rows(func.count()).select_from(SecondLook).where(is_waiting())).scalar_one()


def looks_by_rater(session: Session) -> dict[int, Looks]:
    """What came of each rater's votes that looked like slips; a rater without any is not in it."""
    later = select(Vote.id).where(Vote.image_id == SecondLook.image_id, col(Vote.id) > SecondLook.vote_id)
    later = later.where(col(Vote.verdict).in_([Verdict.reject, Verdict.keep])).correlate(SecondLook)
    is_taken = later.exists() & ~is_waiting()
    was, lead = _verdict_of(SecondLook.vote_id), col(ImageTally.rejects) - col(ImageTally.keeps)
    is_same = case((was == Verdict.reject, lead > 0), else_=lead < 0)
    sums = (func.sum(case((is_so, 1), else_=0)) for is_so in (is_waiting(), is_taken, is_taken & ~is_same))
    rows = session.execute(
        select_rows(col(SecondLook.rater_id), *sums)
        # Every picture with a look has a tally; the outer join makes SQLite start from the few looks.
        .join(ImageTally, col(ImageTally.image_id) == SecondLook.image_id, isouter=True)
        .group_by(col(SecondLook.rater_id))
    )
    return {rater: Looks(*counts) for rater, *counts in rows}


def pairs_on_contradicted(session: Session) -> dict[int, tuple[int, int]]:
    """By version, the pairs of votes on sampled pictures that a check contradicted, and how many of them agree."""
    rejects, keeps = col(ImageTally.rejects), col(ImageTally.keeps)
    agreeing = (rejects * (rejects - 1) + keeps * (keeps - 1)) / 2
    rows = session.execute(
        select_rows(col(Image.version), func.sum(COUNTED * (COUNTED - 1) / 2), func.sum(agreeing))
        .join(Image, col(Image.id) == ImageTally.image_id)
        .where(col(Image.origin) == Origin.sampled, was_contradicted(Image.id), COUNTED > 1)
        .group_by(col(Image.version))
    )
    return {version: (int(pairs), int(same)) for version, pairs, same in rows}


def _verdict_of(vote_id: Any) -> Any:
    return select(Vote.verdict).where(Vote.id == vote_id).correlate(SecondLook).scalar_subquery()
