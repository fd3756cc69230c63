"""The queue's statements. Each is made once and run with its values, because making one costs more than running it.

Values: `me`, the rater's id; `now`; `overlap`; `count`, the most rows; `without`, the pictures in hand already.
"""

from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Exists,
    Integer,
    Select,
    bindparam,
    func,
    or_,
    select,
)
from sqlalchemy.orm import aliased
from sqlmodel import col
from sqlmodel import select as select_one

from store.tables import Control, CurrentVote, Image, ImageTally, Lease, Origin, Prompt, Repeat, Verdict, Vote

LaterVote = aliased(Vote)  # made once: making it is a quarter of the cost of recording a vote
OtherLease = aliased(Lease)
TwinImage = aliased(Image)

ME, COUNT = bindparam("me", type_=Integer), bindparam("count", type_=Integer)
NOW = bindparam("now", type_=DateTime(timezone=True))
OVERLAP, WITHOUT = bindparam("overlap", type_=Integer), bindparam("without", expanding=True, type_=Integer)
SHOWN = (col(Image.id), col(Image.sha256), col(Prompt.text), col(Image.width), col(Image.height))


@cache
def reserved_images() -> Select:
    """The pictures that are reserved for this rater, oldest reservation first, as `Shown`."""
    again = (
        select_one(Repeat.id)
        .where(Repeat.image_id == Image.id, Repeat.rater_id == ME)
        .where(~_voted_after(Repeat.first_vote_id, Repeat.image_id))
        .exists()
    )
    is_open = or_(col(Image.is_queued) & _has_room(), col(Image.origin) == Origin.control) & _has_no_current_vote()
    return (
        _shown()
        .join(Lease, col(Lease.image_id) == Image.id)
        .where(col(Lease.rater_id) == ME, col(Lease.expires_at) > NOW, or_(is_open, again))
        .order_by(col(Lease.id))
        .limit(COUNT)
    )


@cache
def open_images(is_before: bool) -> Select:
    """Pictures open to this rater, in the order of the shuffled queue, among the nearest `window` queued ones.

    From the place `start` on, or before it.
    """
    place, start = col(Image.shuffle), bindparam("start", type_=Integer)
    near = (
        select(col(Image.id))
        .where(col(Image.is_queued), place < start if is_before else place >= start)
        .order_by(place)
        .limit(bindparam("window", type_=Integer))
        .correlate(None)
    )
    return (
        _shown()
        .where(col(Image.id).in_(near), col(Image.id).not_in(WITHOUT), _has_no_current_vote(), _has_room())
        .order_by(place)
        .limit(COUNT)
    )


@cache
def unseen_control(is_before: bool) -> Select:
    """A control in use of which this rater saw neither itself nor the original; ids from `start` on, or before."""
    seen = (
        select_one(OtherLease.id)
        .join(TwinImage, col(TwinImage.id) == OtherLease.image_id)
        .where(TwinImage.sha256 == Image.sha256, OtherLease.rater_id == ME)
        .exists()
    )
    number, start = col(Control.image_id), bindparam("start", type_=Integer)
    return (
        _shown()
        .join(Control, number == Image.id)
        .where(number < start if is_before else number >= start)
        .where(col(Control.is_active), ~seen, number.not_in(WITHOUT))
        .order_by(number)
        .limit(1)
    )


@cache
def control_ids() -> Select:
    """The first and the last id of a control."""
    return select(func.min(Control.image_id), func.max(Control.image_id))


@cache
def repeatable_image() -> Select:
    """A picture that this rater judged once, `since` to `since` + `reach` votes ago, and the id of that vote."""
    a_while_ago = (
        select(col(Vote.id))
        .where(col(Vote.rater_id) == ME)
        .order_by(col(Vote.id).desc())
        .offset(bindparam("since", type_=Integer))
        .limit(bindparam("reach", type_=Integer))
        .correlate(None)
    )
    again = select_one(Repeat.id).where(Repeat.rater_id == ME, Repeat.image_id == Vote.image_id).exists()
    return (
        _shown()
        .add_columns(col(Vote.id))
        .join(Vote, col(Vote.image_id) == Image.id)
        .where(col(Vote.id).in_(a_while_ago), col(Vote.image_id).not_in(WITHOUT))
        .where(col(Vote.verdict).in_([Verdict.reject, Verdict.keep]), col(Image.origin) != Origin.control, ~again)
        .where(~_voted_after(Vote.id, Vote.image_id))
        .order_by(col(Vote.id).desc())
        .limit(1)
    )


def _shown() -> Select:
    return select(*SHOWN).join(Prompt, col(Prompt.id) == Image.prompt_id)


def _voted_after(vote_id: Any, image_id: Any) -> Exists:
    later = select_one(LaterVote.id).where(LaterVote.image_id == image_id, LaterVote.rater_id == ME)
    return later.where(col(LaterVote.id) > vote_id).exists()


def _has_no_current_vote() -> ColumnElement[bool]:
    standing = select_one(CurrentVote.image_id).where(CurrentVote.image_id == Image.id, CurrentVote.rater_id == ME)
    return ~standing.where(CurrentVote.verdict != Verdict.undo).exists()


def _has_room() -> ColumnElement[bool]:
    """For a rater without a vote on the image, so that every vote on it is another rater's."""
    taken = (
        select_one(func.count(col(OtherLease.id)))
        .where(OtherLease.image_id == Image.id, OtherLease.rater_id != ME, OtherLease.expires_at > NOW)
        .scalar_subquery()
    )
    votes = select_one(ImageTally.rejects + ImageTally.keeps).where(ImageTally.image_id == Image.id).scalar_subquery()
    return func.coalesce(votes, 0) + taken < func.coalesce(Image.overlap, OVERLAP)
