"""Votes: one row a key press, never changed; undo is a row of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from feedback.queue import Shown, settle, shown
from feedback.raters import clean_name, rater_id
from feedback.tally import count_vote
from store.engine import reading, writing
from store.errors import BadRequest, InputError, RequestConflict, UnknownImage
from store.tables import Image, Lease, Mark, Rater, Reason, Verdict, Vote, VoteReason, Word, utc_now

MAX_REQUEST_ID = 64


class Point(NamedTuple):
    """Where a defect is: shares of the picture's width and height, 0 to 1."""

    x: float
    y: float


@dataclass(frozen=True)
class Press:
    """One key press as the rating page sends it; `image_id` is the image that was on screen.

    `reasons` and `marks` belong to this vote: a later vote of the same rater, undo included, leaves them behind.
    """

    request_id: str
    image_id: int
    verdict: Verdict
    page: str = ""
    shown_at: datetime | None = None
    decided_at: datetime | None = None
    reasons: frozenset[Reason] = frozenset()
    marks: tuple[Point, ...] = ()


class Receipt(NamedTuple):
    """The answer to one press, given after commit; `refused` says why it was not recorded."""

    request_id: str
    refused: str = ""


def record_votes(
    engine: Engine,
    rater: str,
    presses: Sequence[Press],
    *,
    overlap: int,
    lease_s: float,
    now: Callable[[], datetime] = utc_now,
) -> list[Receipt]:
    """A receipt for every press, all committed in one transaction.

    A request id that was seen before counts once, however often it arrives. A refused press leaves no row and
    does not hold up the others.
    """
    with writing(engine) as session:
        me = rater_id(session, rater)
        return [_record(session, me, press, overlap, now() + timedelta(seconds=lease_s), now()) for press in presses]


def recent_votes(engine: Engine, rater: str, limit: int = 20) -> list[tuple[Shown, Verdict]]:
    """The images this rater has a current word on, latest first, with that word."""
    with reading(engine) as session:
        me = session.exec(select(Rater.id).where(Rater.name == clean_name(rater))).first()
        rows = session.exec(
            select(Image, Word.verdict)
            .join(Word, col(Word.image_id) == Image.id)
            .where(Word.rater_id == (me or 0), Word.verdict != Verdict.undo)
            .order_by(col(Word.vote_id).desc())
            .limit(limit)
        )
        return [(shown(session, image), Verdict(verdict)) for image, verdict in rows]


def _record(session: Session, me: int, press: Press, overlap: int, leased_until: datetime, now: datetime) -> Receipt:
    try:
        _check_request_id(press.request_id)
        if _is_repeated(session, me, press):
            return Receipt(press.request_id)
        image, lease = _shown_before(session, me, press.image_id)
    except InputError as error:
        return Receipt(press.request_id, str(error))
    vote = _write(session, me, press, now)
    count_vote(session, image, vote)
    lease.expires_at = leased_until if press.verdict is Verdict.undo else now
    if press.verdict is not Verdict.skip:
        settle(session, image, overlap)
    session.add(lease)
    return Receipt(press.request_id)


def _write(session: Session, me: int, press: Press, now: datetime) -> Vote:
    vote = Vote(
        request_id=press.request_id,
        image_id=press.image_id,
        rater_id=me,
        verdict=press.verdict,
        page=press.page,
        shown_at=press.shown_at,
        decided_at=press.decided_at,
        received_at=now,
    )
    session.add(vote)
    session.flush()
    assert vote.id is not None
    session.add_all(VoteReason(vote_id=vote.id, reason=reason) for reason in sorted(press.reasons))
    session.add_all(Mark(vote_id=vote.id, x=x, y=y) for x, y in press.marks)
    return vote


def _check_request_id(name: str) -> None:
    if not 0 < len(name) <= MAX_REQUEST_ID or not (name.isascii() and name.isprintable()):
        raise BadRequest(f"a request id has 1 to {MAX_REQUEST_ID} printable ASCII characters; {name[:80]!r} was given")


def _is_repeated(session: Session, me: int, press: Press) -> bool:
    known = session.exec(select(Vote).where(col(Vote.request_id) == press.request_id)).first()
    if known is None:
        return False
    if (known.rater_id, known.image_id, known.verdict) != (me, press.image_id, press.verdict):
        raise RequestConflict(
            f"request {press.request_id} was already used for another vote; send every vote with an id of its own"
        )
    return True


def _shown_before(session: Session, me: int, image_id: int) -> tuple[Image, Lease]:
    image_id = image_id if 0 < image_id < 2**31 else 0  # no row has 0; the database takes no larger number
    image = session.get(Image, image_id)
    lease = session.exec(select(Lease).where(Lease.image_id == image_id, Lease.rater_id == me)).first()
    if image is None or lease is None:
        raise UnknownImage("this image was never shown to this rater; reload the page and vote on what it shows")
    return image, lease
