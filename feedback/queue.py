"""Which images a rater sees next: unrated, blind to the version, each reserved for one rater at a time.

The order is shuffled, anew for every rater. Controls (answer known) and repeats (judged by the same rater before) are
mixed in; nothing that a rater is told tells them apart.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, ScalarSelect, func, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from feedback.raters import rater_of
from feedback.verdicts import is_counted
from store.engine import writing
from store.settings import Settings
from store.tables import Control, Image, Lease, Origin, Prompt, Repeat, Verdict, Vote, utc_now

PLACES = 2**31
"""Images stand at places 0 to PLACES - 1 of the shuffled queue."""
WINDOWS = (128, 5000)
"""How many queued images are looked at, first and at most, so that a long queue is never read to its end."""
REPEAT_AFTER = 30
"""Votes of a rater between an image and its repeat, at least."""
REPEAT_REACH = 40

LaterVote = aliased(Vote)  # made once: making it is a quarter of the cost of recording a vote
OtherLease = aliased(Lease)
TwinImage = aliased(Image)


class Shown(NamedTuple):
    """All that a rater may know of an image."""

    image_id: int
    sha256: str
    prompt: str
    width: int
    height: int


class Mix(NamedTuple):
    """What a hand of images is made of: shares of controls and repeats; whether disputed images come first, and the
    share of the queue that is rated without regard to that."""

    controls: float = 0.0
    repeats: float = 0.0
    is_uncertain_first: bool = False
    slice_share: float = 0.2


def mix_of(settings: Settings) -> Mix:
    """The mix that the settings ask for."""
    is_uncertain_first = settings.queue_order == "uncertain-first"
    return Mix(settings.control_share, settings.repeat_share, is_uncertain_first, settings.unbiased_share)


def next_images(
    engine: Engine,
    rater: str,
    *,
    count: int,
    overlap: int,
    lease_s: float,
    now: datetime | None = None,
    mix: Mix = Mix(),
) -> list[Shown]:
    """Up to `count` images for this rater, reserved for `lease_s` seconds; those reserved before come first.

    An image goes to at most `overlap` raters (or to its own number), and never again to one who has judged or skipped
    it, except as a repeat. A rater who was paused gets none.
    """
    now = now or utc_now()
    with writing(engine) as session:
        rater_row = rater_of(session, rater)
        if rater_row.is_paused:
            return []
        assert rater_row.id is not None
        desk = _Desk(session, rater_row.id, overlap, now)
        images = desk.held(count)
        images += desk.mixed(desk.fresh(count - len(images), [image.id for image in images], mix), mix)
        images = images[:count]
        session.add_all(
            Repeat(rater_id=rater_row.id, image_id=image.id, first_vote_id=desk.repeated[image.id])
            for image in images
            if image.id in desk.repeated
        )
        _reserve(session, rater_row.id, images, now + timedelta(seconds=lease_s))
        return shown_all(session, images)


def settle(session: Session, image: Image, overlap: int) -> None:
    """Puts an image into the queue or takes it out, by its current votes; for use inside a `writing` block."""
    counted = dict(
        session.exec(
            select(Vote.verdict, func.count(col(Vote.id))).where(*_current(image.id)).group_by(col(Vote.verdict))
        ).all()
    )
    rejects, keeps = counted.get(Verdict.reject, 0), counted.get(Verdict.keep, 0)
    image.is_queued = image.origin is not Origin.control and rejects + keeps < (image.overlap or overlap)
    image.is_disputed = rejects == keeps > 0
    session.add(image)


def judgements(image: object, besides: int = 0) -> SelectOfScalar[int]:
    """Query: the number of current reject and keep votes that count on an image, without those of `besides`."""
    return select(func.count(col(Vote.id))).where(*_current(image, besides))


def _current(image: object, besides: int = 0) -> list[Any]:
    superseded = (
        select(LaterVote.id)
        .where(LaterVote.image_id == Vote.image_id, LaterVote.rater_id == Vote.rater_id, col(LaterVote.id) > Vote.id)
        .exists()
    )
    return [
        Vote.image_id == image,
        Vote.rater_id != besides,
        col(Vote.verdict).in_([Verdict.reject, Verdict.keep]),
        is_counted(Vote.rater_id),
        ~superseded,
    ]


def in_slice(share: float) -> ColumnElement[bool]:
    """Condition: the image is of the random slice whose order nothing decides, for a rate without bias."""
    return col(Image.shuffle) < int(share * PLACES)


class _Desk:
    """The queries of one rater at one instant. A class, because each of them needs all four."""

    def __init__(self, session: Session, me: int, overlap: int, now: datetime) -> None:
        self.session, self.me, self.overlap, self.now = session, me, overlap, now
        newest = session.exec(select(func.max(Vote.id)).where(Vote.rater_id == me)).one()
        # The same state gives the same answer; the next vote, or another rater, gives another.
        self.chance = random.Random(f"{me} {newest}")
        self.repeated: dict[int, int] = {}  # image to the vote it repeats

    def held(self, count: int) -> list[Image]:
        """The images that are reserved for this rater already, in the order they were."""
        is_control = col(Image.origin) == Origin.control
        again = (
            select(Repeat.id)
            .where(
                Repeat.image_id == Image.id,
                Repeat.rater_id == self.me,
                ~self._voted_after(Repeat.first_vote_id, Repeat.image_id),
            )
            .exists()
        )
        is_open = or_(col(Image.is_queued) & self._has_room(), is_control) & self._has_no_word()
        held = (
            select(Image)
            .join(Lease, col(Lease.image_id) == Image.id)
            .where(Lease.rater_id == self.me, Lease.expires_at > self.now, or_(is_open, again))
            .order_by(col(Lease.id))
            .limit(count)
        )
        return list(self.session.exec(held))

    def fresh(self, count: int, held: Sequence[int | None], mix: Mix) -> list[Image]:
        """Images that are open to this rater and not in hand, in an order of their own for each rater."""
        if not mix.is_uncertain_first:
            return self._open(count, held)
        of_slice = sum(self.chance.random() < mix.slice_share for _ in range(count))
        images = self._open(of_slice, held, in_slice(mix.slice_share))
        for condition in (col(Image.is_disputed) & ~in_slice(mix.slice_share), ~in_slice(mix.slice_share)):
            taken = [*held, *(image.id for image in images)]
            images += self._open(count - len(images), taken, condition)
        images += self._open(count - len(images), [*held, *(image.id for image in images)])
        self.chance.shuffle(images)
        return images

    def mixed(self, images: Sequence[Image], mix: Mix) -> list[Image]:
        """The images with controls and repeats put between them, by a chance that hangs on rater and image alone."""
        hand: list[Image] = []
        for image in images:
            drawn = random.Random(f"{self.me} {image.id}").random()
            extra = None
            if drawn < mix.controls:
                extra = self._control([other.id for other in hand])
            elif drawn < mix.controls + mix.repeats:
                extra = self._repeat([other.id for other in hand])
            hand += [image] if extra is None else [extra, image]
        return hand

    def _open(self, count: int, without: Sequence[int | None], *conditions: Any) -> list[Image]:
        start, found = self.chance.randrange(PLACES), dict[int | None, Image]()
        for window in WINDOWS:
            for part in (col(Image.shuffle) >= start, col(Image.shuffle) < start):
                if len(found) >= count:
                    return list(found.values())
                near = (
                    (select(Image.id).where(col(Image.is_queued), part, *conditions).order_by(col(Image.shuffle)))
                    .limit(window)
                    .correlate(None)
                )
                rows = self.session.exec(
                    select(Image)
                    .where(col(Image.id).in_(near), col(Image.id).not_in([*without, *found]))
                    .where(self._has_no_word(), self._has_room())
                    .order_by(col(Image.shuffle))
                    .limit(count - len(found))
                )
                found |= {image.id: image for image in rows}
        return list(found.values())

    def _control(self, without: Sequence[int | None]) -> Image | None:
        """A control this rater never saw, nor the picture it was made from."""
        seen = (
            select(OtherLease.id)
            .join(TwinImage, col(TwinImage.id) == OtherLease.image_id)
            .join(Image, col(Image.sha256) == TwinImage.sha256)
            .where(Image.id == Control.image_id, OtherLease.rater_id == self.me)
            .exists()
        )
        image = col(Control.image_id)
        unseen = select(image).where(col(Control.is_active), ~seen, image.not_in(without)).order_by(image).limit(1)
        first, last = self.session.exec(select(func.min(image), func.max(image))).one()
        start = self.chance.randint(first or 0, last or 0)
        found = (
            self.session.exec(unseen.where(image >= start)).first()
            or self.session.exec(unseen.where(image < start)).first()
        )
        return None if found is None else self.session.get_one(Image, found)

    def _repeat(self, without: Sequence[int | None]) -> Image | None:
        """An image that this rater judged a while ago, and only once."""
        since = self.chance.randrange(REPEAT_AFTER, 2 * REPEAT_AFTER)
        while_ago = select(Vote.id).where(Vote.rater_id == self.me).order_by(col(Vote.id).desc()).offset(since)
        again = select(Repeat.id).where(Repeat.rater_id == self.me, Repeat.image_id == Vote.image_id).exists()
        vote = self.session.exec(
            select(Vote)
            .join(Image, col(Image.id) == Vote.image_id)
            .where(col(Vote.id).in_(while_ago.limit(REPEAT_REACH).correlate(None)), col(Vote.image_id).not_in(without))
            .where(col(Vote.verdict).in_([Verdict.reject, Verdict.keep]), Image.origin != Origin.control, ~again)
            .where(~self._voted_after(Vote.id, Vote.image_id))
            .order_by(col(Vote.id).desc())
            .limit(1)
        ).first()
        if vote is None or vote.id is None:
            return None
        self.repeated[vote.image_id] = vote.id
        return self.session.get_one(Image, vote.image_id)

    def _voted_after(self, vote_id: Any, image_id: Any) -> ColumnElement[bool]:
        later = select(LaterVote.id).where(
            LaterVote.image_id == image_id, LaterVote.rater_id == self.me, col(LaterVote.id) > vote_id
        )
        return later.exists()

    def _has_no_word(self) -> ColumnElement[bool]:
        return func.coalesce(_word_of(self.me), Verdict.undo) == Verdict.undo

    def _has_room(self) -> ColumnElement[bool]:
        taken = (
            select(func.count(col(OtherLease.id)))
            .where(OtherLease.image_id == Image.id, OtherLease.rater_id != self.me, OtherLease.expires_at > self.now)
            .scalar_subquery()
        )
        judged = judgements(Image.id, self.me).scalar_subquery()
        return judged + taken < func.coalesce(Image.overlap, self.overlap)


def _word_of(me: int) -> ScalarSelect[Verdict]:
    return (
        select(Vote.verdict)
        .where(Vote.image_id == Image.id, Vote.rater_id == me)
        .order_by(col(Vote.id).desc())
        .limit(1)
        .correlate(Image)
        .scalar_subquery()
    )


def _reserve(session: Session, me: int, images: Sequence[Image], until: datetime) -> None:
    ids = [image.id for image in images]
    known = set(session.exec(select(Lease.image_id).where(Lease.rater_id == me, col(Lease.image_id).in_(ids))))
    session.exec(
        update(Lease).where(col(Lease.rater_id) == me, col(Lease.image_id).in_(known)).values(expires_at=until)
    )
    new = [image for image in ids if image is not None and image not in known]
    session.add_all(Lease(image_id=image, rater_id=me, expires_at=until) for image in new)


def shown_all(session: Session, images: Sequence[Image]) -> list[Shown]:
    """What a rater may know of each image."""
    wanted = {image.prompt_id for image in images}
    texts = dict(session.exec(select(Prompt.id, Prompt.text).where(col(Prompt.id).in_(wanted))).all())
    return [
        Shown(image.id, image.sha256, texts[image.prompt_id], image.width, image.height)
        for image in images
        if image.id is not None
    ]


def shown(session: Session, image: Image) -> Shown:
    """What a rater may know of `image`."""
    return shown_all(session, [image])[0]
