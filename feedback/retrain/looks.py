"""A new version's check says which votes look like slips; they are remembered, to be looked at again."""

from sqlalchemy import Select
from sqlalchemy import select as select_rows
from sqlmodel import Session, col, select

from feedback.check.looks import COUNTED, was_contradicted
from feedback.check.slips import ScoredVote, find_slips
from feedback.check.version_check import VersionCheck
from feedback.pool.counts import is_vote
from feedback.pool.verdicts import is_counted
from store.tables import CurrentVote, Image, ImageTally, PictureScore, Repeat, SecondLook, Verdict, Version


def record_slips(session: Session, version: int) -> int:
    """Remembers the current votes that look like slips to the version's check, and how many; none while it is off."""
    session.flush()
    check = VersionCheck.of(session.get_one(Version, version))
    if check is None or not check.is_on or check.curve is None:
        return 0
    rows = session.execute(_scored_votes(version)).all()
    chances = check.curve.chances([row.score for row in rows]).tolist()
    votes = [
        ScoredVote(
            row.vote_id, row.verdict is Verdict.reject, chance, row.is_alone and not (row.repeated or row.answered)
        )
        for row, chance in zip(rows, chances, strict=True)
    ]
    before = sum(row.contradicted and not vote.may_be_asked for row, vote in zip(rows, votes, strict=True))
    row_of = {row.vote_id: row for row in rows}
    slips = find_slips(votes, before)
    for slip in slips:
        row = row_of[slip.vote_id]
        session.merge(
            SecondLook(
                vote_id=slip.vote_id,
                image_id=row.image_id,
                rater_id=row.rater_id,
                version=version,
                chance=slip.chance,
            )
        )
    return len(slips)


def _scored_votes(version: int) -> Select:
    """The current votes on pictures that the version's check scored out of sample.

    With each: whether it alone makes the picture's verdict and no other vote is to come (`is_alone`), whether the rater
    was given the picture again (`repeated`), whether a check contradicted a vote on it (`contradicted`), and whether
    that was another vote than this one (`answered`).
    """
    vote = (CurrentVote.vote_id, CurrentVote.image_id, CurrentVote.rater_id, CurrentVote.verdict)
    repeated = select(Repeat.id).where(Repeat.image_id == CurrentVote.image_id, Repeat.rater_id == CurrentVote.rater_id)
    answered = select(SecondLook.vote_id).where(
        SecondLook.image_id == CurrentVote.image_id, SecondLook.vote_id != CurrentVote.vote_id
    )
    return (
        select_rows(
            *map(col, vote),
            col(PictureScore.score),
            ((COUNTED == 1) & col(ImageTally.ruled).is_(None) & ~col(Image.is_queued)).label("is_alone"),
            repeated.exists().label("repeated"),
            was_contradicted(CurrentVote.image_id).label("contradicted"),
            answered.exists().label("answered"),
        )
        .join(PictureScore, col(PictureScore.image_id) == CurrentVote.image_id)
        .join(Image, col(Image.id) == CurrentVote.image_id)
        .join(ImageTally, col(ImageTally.image_id) == CurrentVote.image_id)
        .where(col(PictureScore.version) == version, col(PictureScore.is_out_of_sample))
        .where(is_vote(), is_counted(CurrentVote.rater_id))
        .order_by(col(CurrentVote.vote_id))
    )
