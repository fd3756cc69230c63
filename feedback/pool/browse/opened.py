"""Everything that is known about one picture of the pool."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Engine, case, func
from sqlmodel import Session, col, select

from feedback.check.version_check import VersionCheck
from feedback.pool.verdicts import select_taken_out
from store.engine import reading
from store.errors import UnknownImage
from store.tables import (
    CurrentVote,
    Image,
    ImageTally,
    ManifestItem,
    Mark,
    PictureScore,
    PictureTry,
    PoolEvent,
    Prompt,
    Rater,
    Role,
    Verdict,
    Version,
    Vote,
    VoteReason,
)


class SeenVote(NamedTuple):
    """One press on a picture; `is_current` unless the rater pressed again later, `is_counted` unless excluded."""

    rater: str
    verdict: Verdict
    is_current: bool
    is_counted: bool
    vote: Vote
    reasons: tuple[str, ...]
    marks: tuple[tuple[float, float], ...]

    @property
    def is_vote(self) -> bool:
        """Whether it is a vote that counts (`feedback.pool.counts`)."""
        return self.is_current and self.is_counted and self.verdict in (Verdict.reject, Verdict.keep)


class Scored(NamedTuple):
    """What a version's check found: the score, and the chance of a reject while the check is on.

    Of the `others` that the same version drew for the same purpose and that this check scored too, `lower` have a
    lower score.
    """

    by: int
    score: float
    chance: float | None
    lower: int
    others: int


class Opened(NamedTuple):
    """One picture and everything about it: votes newest first, the versions it trained, what was decided by hand.

    `ruled` is a curator's verdict, which counts in place of the votes'. `tries` are its drawings in order, empty where
    no check looked at it while it was drawn.
    """

    image: Image
    prompt: str
    votes: list[SeenVote]
    trained: list[tuple[int, Role]]
    events: list[PoolEvent]
    is_taken_out: bool
    ruled: Verdict | None
    tries: list[PictureTry]
    scored: Scored | None


def open_image(engine: Engine, image_id: int) -> Opened:
    """Everything that is known about a picture. Raises UnknownImage."""
    with reading(engine) as session:
        image = session.get(Image, image_id if 0 < image_id < 2**31 else 0)
        if image is None:
            raise UnknownImage(f"there is no picture {image_id}")
        rows = session.exec(
            select(Vote, Rater)
            .join(Rater, col(Rater.id) == Vote.rater_id)
            .where(Vote.image_id == image_id)
            .order_by(col(Vote.id).desc())
        ).all()
        votes = _seen_votes(session, image_id, rows)
        trained = session.exec(
            select(Version.number, ManifestItem.role)
            .join(ManifestItem, col(ManifestItem.manifest_id) == Version.manifest_id)
            .where(ManifestItem.image_id == image_id)
            .order_by(col(Version.number))
        )
        events = session.exec(
            select(PoolEvent).where(PoolEvent.image_id == image_id).order_by(col(PoolEvent.id).desc())
        )
        return Opened(
            image,
            session.get_one(Prompt, image.prompt_id).text,
            votes,
            [(number, Role(role)) for number, role in trained],
            list(events),
            _is_taken_out(session, image_id),
            None if (tally := session.get(ImageTally, image_id)) is None else tally.ruled,
            list(
                session.exec(select(PictureTry).where(PictureTry.image_id == image_id).order_by(col(PictureTry.number)))
            ),
            _scored(session, image),
        )


def _scored(session: Session, image: Image) -> Scored | None:
    """By the check of the version that drew it, else by the newest that was not trained on it; None without either."""
    of_image = select(PictureScore).where(PictureScore.image_id == image.id, col(PictureScore.is_out_of_sample))
    newest_last = col(PictureScore.version) == image.version, col(PictureScore.version)
    own = session.exec(of_image.order_by(*(key.desc() for key in newest_last))).first()
    if own is None:
        return None
    counts = select(func.count(), func.count(case((col(PictureScore.score) < own.score, 1))))
    rows = counts.select_from(PictureScore).join(Image, col(Image.id) == PictureScore.image_id)
    alike = Image.version == image.version, Image.origin == image.origin, Image.id != image.id
    others, lower = session.exec(rows.where(PictureScore.version == own.version, *alike)).one()
    check = VersionCheck.of(session.get_one(Version, own.version))
    return Scored(own.version, own.score, check.chance(own.score) if check else None, lower, others)


def _seen_votes(session: Session, image_id: int, rows: Sequence[tuple[Vote, Rater]]) -> list[SeenVote]:
    ids = [vote.id for vote, _ in rows]
    reasons = list(session.exec(select(VoteReason).where(col(VoteReason.vote_id).in_(ids))))
    marks = list(session.exec(select(Mark).where(col(Mark.vote_id).in_(ids))))
    current = set(session.exec(select(CurrentVote.vote_id).where(CurrentVote.image_id == image_id)))
    return [
        SeenVote(
            rater.name,
            vote.verdict,
            vote.id in current,
            not rater.is_excluded,
            vote,
            tuple(row.reason.value for row in reasons if row.vote_id == vote.id),
            tuple((row.x, row.y) for row in marks if row.vote_id == vote.id),
        )
        for vote, rater in rows
    ]


def _is_taken_out(session: Session, image_id: int) -> bool:
    return session.execute(select_taken_out().where(col(PoolEvent.image_id) == image_id)).first() is not None
