"""The queue's statements. Each is made once and run with its values, because making one costs more than running it.

Values: `me`, the rater's id; `now`; `latest`, the latest end of a reservation that is believed; `overlap`; `count`, the
most rows; `without`, the pictures in hand already.
"""

from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Select,
    bindparam,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import aliased
from sqlmodel import col
from sqlmodel import select as select_one

from feedback.check.looks import is_waiting
from feedback.pool.counts import VOTES
from feedback.pool.damage import is_sound
from feedback.pool.verdicts import is_counted
from feedback.reservations import still_lasts
from store.tables import (
    Control,
    CurrentVote,
    Image,
    ImageTally,
    Lease,
    Origin,
    Prompt,
    Rater,
    Repeat,
    SecondLook,
    Verdict,
    Vote,
    VoteCount,
)

LaterVote = aliased(Vote)  # made once: making it is a quarter of the cost of recording a vote
OtherLease = aliased(Lease)
EarlierLease = aliased(Lease)
TwinImage = aliased(Image)

ME, COUNT = bindparam("me", type_=Integer), bindparam("count", type_=Integer)
NOW, LATEST = (bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "latest"))
OVERLAP, WITHOUT = bindparam("overlap", type_=Integer), bindparam("without", expanding=True, type_=Integer)
PICTURE = (
    col(Image.sha256),
    col(Prompt.text),
    col(Image.width),
    col(Image.height),
    col(Prompt.read_characters),
)
IS_ASKED = col(Image.origin) == literal_column("'asked'")
"""Written out, because an index holds only such pictures."""
SHOWN = (col(Image.id), col(Image.number), *PICTURE)
"""The columns of `Shown` for a picture that comes for the first time."""


@cache
def reserved_images() -> Select:
    """The pictures that are reserved for this rater, oldest reservation first, as `Shown`."""
    is_open = or_(col(Image.is_queued) & _has_room(), col(Image.origin) == Origin.control, _waits_for_another())
    return (
        shown_to(ME)
        .join(Lease, col(Lease.image_id) == Image.id)
        .where(col(Lease.rater_id) == ME, still_lasts(Lease.expires_at, NOW, LATEST), is_sound())
        .where(or_(is_open & _has_no_current_vote(), is_unanswered_repeat(ME)))
        .order_by(col(Lease.id))
        .limit(COUNT)
    )


@cache
def open_images(is_before: bool, is_taken_over: bool = False, is_at_random: bool = False) -> Select:
    """Pictures open to this rater, in the order of the shuffled queue, among the nearest `window` queued ones.

    From the place `start` on, or before it. Reserved for others are all that they hold; where pictures may be taken
    over, only the first `protected` of each. With `is_at_random`, none of those that are chosen for what they teach.
    """
    place, start = col(Image.shuffle), bindparam("start", type_=Integer)
    near = (
        select(col(Image.id))
        .where(col(Image.is_queued), place < start if is_before else place >= start)
        .where(*([~IS_ASKED] if is_at_random else []))
        .order_by(place)
        .limit(bindparam("window", type_=Integer))
        .correlate(None)
    )
    return (
        _shown()
        .where(col(Image.id).in_(near), col(Image.id).not_in(WITHOUT), is_sound())
        .where(_has_no_current_vote(), _has_room(is_taken_over))
        .order_by(place)
        .limit(COUNT)
    )


@cache
def asked_images() -> Select:
    """Pictures open to this rater that are chosen for what they teach: the newest `window`, in the shuffled order."""
    newest = (
        select(col(Image.id))
        .where(col(Image.is_queued), IS_ASKED)
        .order_by(col(Image.id).desc())
        .limit(bindparam("window", type_=Integer))
        .correlate(None)
    )
    return (
        _shown()
        .where(col(Image.id).in_(newest), col(Image.id).not_in(WITHOUT), is_sound())
        .where(_has_no_current_vote(), _has_room())
        .order_by(col(Image.shuffle))
    )


@cache
def unseen_control(is_before: bool) -> Select:
    """A control in use that this rater has not answered and whose original this rater never saw.

    Ids from `start` on, or before. As other pictures, it comes again when its reservation ran out.
    """
    is_other = col(TwinImage.id) != Image.id
    answered = select_one(CurrentVote.vote_id).where(CurrentVote.image_id == Image.id, CurrentVote.rater_id == ME)
    seen = (
        select_one(OtherLease.id)
        .join(TwinImage, col(TwinImage.id) == OtherLease.image_id)
        .where(TwinImage.sha256 == Image.sha256, OtherLease.rater_id == ME)
        .where(or_(is_other, still_lasts(OtherLease.expires_at, NOW, LATEST), answered.exists()))
        .exists()
    )
    number, start = col(Control.image_id), bindparam("start", type_=Integer)
    return (
        _shown()
        .join(Control, number == Image.id)
        .where(number < start if is_before else number >= start)
        .where(col(Control.is_active), ~seen, is_sound(), number.not_in(WITHOUT))
        .order_by(number)
        .limit(1)
    )


@cache
def control_ids() -> Select:
    """The first and the last id of a control."""
    return select(func.min(Control.image_id), func.max(Control.image_id))


@cache
def repeatable_image() -> Select:
    """A picture that this rater judged once, `since` to `since` + `reach` pictures ago, and the id of that vote.

    Pictures, not presses: the last of them are in the rater's history, where a repeat would be seen.
    """
    a_while_ago = (
        select(col(CurrentVote.vote_id))
        .where(col(CurrentVote.rater_id) == ME, col(CurrentVote.verdict) != Verdict.undo)
        .order_by(col(CurrentVote.vote_id).desc())
        .offset(bindparam("since", type_=Integer))
        .limit(bindparam("reach", type_=Integer))
        .correlate(None)
    )
    return (
        _shown()
        .add_columns(col(Vote.id))
        .join(Vote, col(Vote.image_id) == Image.id)
        .where(col(Vote.id).in_(a_while_ago), col(Vote.image_id).not_in(WITHOUT), is_sound())
        .where(col(Vote.verdict).in_([Verdict.reject, Verdict.keep]), col(Image.origin) != Origin.control)
        .where(~_was_repeated(Vote.image_id))
        .order_by(col(Vote.id).desc())
        .limit(1)
    )


@cache
def contradicted_image() -> Select:
    """A picture whose only vote, another rater's, looks like a slip; the most doubted first. Nobody holds it."""
    held = select_one(OtherLease.id).where(OtherLease.image_id == Image.id)
    return (
        _shown()
        .join(SecondLook, col(SecondLook.image_id) == Image.id)
        .where(col(SecondLook.rater_id) != ME, is_waiting(), is_sound())
        .where(_has_no_current_vote(), ~held.where(still_lasts(OtherLease.expires_at, NOW, LATEST)).exists())
        .where(col(Image.id).not_in(WITHOUT))
        .order_by(func.abs(SecondLook.chance - 0.5).desc(), col(SecondLook.vote_id))
        .limit(1)
    )


@cache
def own_contradicted_image() -> Select:
    """A picture that only this rater judged, `since` pictures ago or earlier, and the id of that vote, which looks
    like a slip; the most doubted first."""
    latest = (
        select(col(CurrentVote.vote_id))
        .where(col(CurrentVote.rater_id) == ME, col(CurrentVote.verdict) != Verdict.undo)
        .order_by(col(CurrentVote.vote_id).desc())
        .offset(bindparam("since", type_=Integer))
        .limit(1)
        .correlate(None)
        .scalar_subquery()
    )
    return (
        _shown()
        .add_columns(col(SecondLook.vote_id))
        .join(SecondLook, col(SecondLook.image_id) == Image.id)
        .where(col(SecondLook.rater_id) == ME, col(SecondLook.vote_id) <= latest, is_waiting(), is_sound())
        .where(~_was_repeated(SecondLook.image_id), col(Image.id).not_in(WITHOUT))
        .order_by(func.abs(SecondLook.chance - 0.5).desc(), col(SecondLook.vote_id))
        .limit(1)
    )


@cache
def others_who_rate() -> Select:
    """A row where another rater, whose votes count and who is not paused, voted on the day `day` or later."""
    return (
        select(col(Rater.id))
        .join(VoteCount, col(VoteCount.rater_id) == Rater.id)
        .where(col(Rater.id) != ME, ~col(Rater.is_paused), is_counted(Rater.id))
        .where(col(VoteCount.day) >= bindparam("day", type_=Date), VOTES > 0)
        .limit(1)
    )


def shown_to(rater_id: Any) -> Select:
    """The columns of `Shown`; a repeat has another public number than at its first time."""
    number = func.coalesce(Repeat.number, Image.number).label("number")
    again = (col(Repeat.image_id) == Image.id) & (col(Repeat.rater_id) == rater_id)
    rows = select(col(Image.id), number, *PICTURE).join(Prompt, col(Prompt.id) == Image.prompt_id)
    return rows.outerjoin(Repeat, again)


def _shown() -> Select:
    return select(*SHOWN).join(Prompt, col(Prompt.id) == Image.prompt_id)


def is_unanswered_repeat(rater_id: Any) -> ColumnElement[bool]:
    """Condition on a row of `shown_to`: the rater was given the picture again and has not voted on it since."""
    later = select_one(LaterVote.id).where(LaterVote.image_id == Repeat.image_id, LaterVote.rater_id == rater_id)
    return col(Repeat.id).is_not(None) & ~later.where(col(LaterVote.id) > Repeat.first_vote_id).exists()


def _was_repeated(image_id: Any) -> ColumnElement[bool]:
    return select_one(Repeat.id).where(Repeat.rater_id == ME, Repeat.image_id == image_id).exists()


def _waits_for_another() -> ColumnElement[bool]:
    """Another rater's vote on the image looks like a slip."""
    waits = select_one(SecondLook.vote_id).where(SecondLook.image_id == Image.id, SecondLook.rater_id != ME)
    return waits.where(is_waiting()).exists()


def _has_no_current_vote() -> ColumnElement[bool]:
    standing = select_one(CurrentVote.image_id).where(CurrentVote.image_id == Image.id, CurrentVote.rater_id == ME)
    return ~standing.where(CurrentVote.verdict != Verdict.undo).exists()


@cache
def count_holders() -> Select:
    """How many raters hold reservations of queued pictures, among `window` of them."""
    queued = select(col(Image.id)).where(col(Image.is_queued)).limit(bindparam("window", type_=Integer))
    return select(func.count(col(Lease.rater_id).distinct())).where(
        col(Lease.image_id).in_(queued), still_lasts(Lease.expires_at, NOW, LATEST)
    )


def _has_room(is_taken_over: bool = False) -> ColumnElement[bool]:
    """For a rater without a vote on the image, so that every vote on it is another rater's."""
    taken = (
        select_one(func.count(col(OtherLease.id)))
        .where(OtherLease.image_id == Image.id, OtherLease.rater_id != ME)
        .where(still_lasts(OtherLease.expires_at, NOW, LATEST))
    )
    if is_taken_over:
        earlier = select_one(func.count(col(EarlierLease.id))).where(
            EarlierLease.rater_id == OtherLease.rater_id,
            still_lasts(EarlierLease.expires_at, NOW, LATEST),
            col(EarlierLease.id) < OtherLease.id,
        )
        taken = taken.where(earlier.scalar_subquery() < bindparam("protected", type_=Integer))
    votes = select_one(ImageTally.rejects + ImageTally.keeps).where(ImageTally.image_id == Image.id).scalar_subquery()
    return func.coalesce(votes, 0) + taken.scalar_subquery() < func.coalesce(Image.overlap, OVERLAP)
