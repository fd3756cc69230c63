"""Which images a rater sees next: unrated, blind to the version, each reserved for one rater at a time."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Engine, ScalarSelect, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from feedback.raters import rater_id
from store.engine import writing
from store.tables import Image, Lease, Prompt, Verdict, Vote, utc_now

LaterVote = aliased(Vote)  # made once: making it is a quarter of the cost of recording a vote


class Shown(NamedTuple):
    """All that a rater may know of an image."""

    image_id: int
    sha256: str
    prompt: str
    width: int
    height: int


def next_images(
    engine: Engine, rater: str, *, count: int, overlap: int, lease_s: float, now: datetime | None = None
) -> list[Shown]:
    """Up to `count` images for this rater, reserved for `lease_s` seconds; those reserved before come first.

    An image goes to at most `overlap` raters, and never again to one who has judged or skipped it.
    """
    now = now or utc_now()
    with writing(engine) as session:
        me = rater_id(session, rater)
        images = list(session.exec(_open_to(me, overlap, now).limit(count)))
        _reserve(session, me, images, now + timedelta(seconds=lease_s))
        return [shown(session, image) for image in images]


def _open_to(me: int, overlap: int, now: datetime) -> SelectOfScalar[Image]:
    mine = select(Lease.id).where(Lease.image_id == Image.id, Lease.rater_id == me).exists()
    taken = (
        select(func.count(col(Lease.id)))
        .where(Lease.image_id == Image.id, Lease.rater_id != me, Lease.expires_at > now)
        .scalar_subquery()
    )
    judged = judgements(Image.id, me).scalar_subquery()
    return (
        select(Image)
        .where(col(Image.is_queued), func.coalesce(_word_of(me), Verdict.undo) == Verdict.undo)
        .where(judged + taken < overlap)
        .order_by(mine.desc(), col(Image.id))
    )


def _word_of(me: int) -> ScalarSelect[Verdict]:
    return (
        select(Vote.verdict)
        .where(Vote.image_id == Image.id, Vote.rater_id == me)
        .order_by(col(Vote.id).desc())
        .limit(1)
        .correlate(Image)
        .scalar_subquery()
    )


def judgements(image: object, besides: int = 0) -> SelectOfScalar[int]:
    """Query: the number of current reject and keep votes on an image, without those of the rater `besides`."""
    superseded = (
        select(LaterVote.id)
        .where(LaterVote.image_id == Vote.image_id, LaterVote.rater_id == Vote.rater_id, col(LaterVote.id) > Vote.id)
        .exists()
    )
    return select(func.count(col(Vote.id))).where(
        Vote.image_id == image,
        Vote.rater_id != besides,
        col(Vote.verdict).in_([Verdict.reject, Verdict.keep]),
        ~superseded,
    )


def _reserve(session: Session, me: int, images: list[Image], until: datetime) -> None:
    ids = [image.id for image in images]
    held = {
        lease.image_id: lease
        for lease in session.exec(select(Lease).where(Lease.rater_id == me, col(Lease.image_id).in_(ids)))
    }
    for image in images:
        assert image.id is not None
        lease = held.get(image.id) or Lease(image_id=image.id, rater_id=me, expires_at=until)
        lease.expires_at = until
        session.add(lease)


def shown(session: Session, image: Image) -> Shown:
    """What a rater may know of `image`."""
    prompt = session.get_one(Prompt, image.prompt_id)
    assert image.id is not None
    return Shown(image.id, image.sha256, prompt.text, image.width, image.height)
