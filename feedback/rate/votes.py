"""Votes: one row for each key press, never changed; undo is another row."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, StringConstraints
from pydantic.dataclasses import dataclass
from sqlalchemy import Engine, Row, insert, union_all
from sqlalchemy import select as select_rows
from sqlmodel import Session, col

from feedback.pool.counting import Change, NewVote, before_vote, changes_of, write_changes
from feedback.rate.queue import Shown
from feedback.rate.queue_sql import is_unanswered_repeat, shown_to
from feedback.rate.raters import is_named, rater_id
from feedback.rate.terms import Terms
from store.engine import reading, writing
from store.errors import InputError, RequestConflict, UnknownImage
from store.tables import (
    FIRST_NUMBER,
    CurrentVote,
    Image,
    Lease,
    Mark,
    Rater,
    Reason,
    Repeat,
    Verdict,
    Vote,
    VoteReason,
    utc_now,
)

MAX_MARKS = 50
IMPORTED = "import"
"""The page of votes that came in a file: nobody gave them here, one after another."""
PRESSED = ("request_id", "image_id", "verdict", "page", "shown_at", "decided_at", "guidelines")
NEW_VOTE = insert(Vote)
NO_ROW = 2**31
"""Every row is below; the database takes no larger number."""


SHAPE = ConfigDict(extra="forbid")
# SQLite's integers end there; a larger number is malformed, not unknown.
ImageId = Annotated[int, Field(ge=1, lt=2**63)]
FIRST_MOMENT, LAST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def _moment_or_none(moment: datetime | None) -> datetime | None:
    """The moment in UTC; None where a browser's clock says what cannot be, because no vote depends on that clock."""
    if moment is None or not FIRST_MOMENT < moment < LAST_MOMENT:
        return None
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime | None, AfterValidator(_moment_or_none)]
RequestId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[ -~]+$")]


@dataclass(frozen=True, config=SHAPE)
class Point:
    """Where a defect is: shares of the picture's width and height, 0 to 1."""

    x: Annotated[float, Field(ge=0, le=1)]
    y: Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config=SHAPE)
class Press:
    """One key press; `image_id` is the picture that was on screen: its public number when the press comes from a page
    (`take_votes`), its row in the store (`record_votes`).

    A request id has 1 to 64 printable ASCII characters. `reasons` and `marks` say what is wrong, so only a reject has
    any: beside another verdict they are left out, and the vote counts. A later vote of the same rater, undo included,
    does not have them. `guidelines`: the version that the rater was shown last. Raises pydantic's ValidationError for a
    malformed value.
    """

    request_id: RequestId
    image_id: ImageId
    verdict: Verdict
    page: Annotated[str, StringConstraints(max_length=40)] = ""
    shown_at: Moment = None
    decided_at: Moment = None
    reasons: Annotated[frozenset[Reason], Field(json_schema_extra={"uniqueItems": False})] = frozenset()
    marks: Annotated[tuple[Point, ...], Field(max_length=MAX_MARKS)] = ()
    guidelines: Annotated[int | None, Field(ge=1, lt=NO_ROW)] = None


class GivenVote(NamedTuple):
    """A rater's current vote on a picture, as that rater may see it."""

    picture: Shown
    verdict: Verdict
    reasons: tuple[Reason, ...]
    marks: tuple[tuple[float, float], ...]


class Receipt(NamedTuple):
    """The answer to one press, given after commit; `refused` says why it was not recorded."""

    request_id: str
    refused: str = ""


def record_votes(
    engine: Engine,
    rater: str,
    presses: Sequence[Press],
    terms: Terms,
    now: Callable[[], datetime] = utc_now,
) -> list[Receipt]:
    """A receipt for every press, all committed in one transaction.

    A request id counts once, however often it arrives. A refused press leaves no row and does not stop the others.
    """
    with writing(engine) as session:
        me = rater_id(session, rater)
        return [_record(session, me, press, terms, now()) for press in presses]


def take_votes(engine: Engine, rater: str, presses: Sequence[Press], terms: Terms) -> list[Receipt]:
    """`record_votes` for presses from a page, which knows the pictures' public numbers only.

    A page that was open before pictures had such numbers may name the row of a picture that it was given then.
    """
    with reading(engine) as session:
        rows = _rows_of(session, rater, {press.image_id for press in presses})
    known = [replace(press, image_id=rows.get(press.image_id, NO_ROW)) for press in presses]
    return record_votes(engine, rater, known, terms)


def has_voted(engine: Engine, rater: str) -> bool:
    """True for a name that gave a vote."""
    with reading(engine) as session:
        me = select_rows(col(Rater.id)).where(is_named(rater)).scalar_subquery()
        return session.execute(select_rows(col(Vote.id)).where(col(Vote.rater_id) == me).limit(1)).first() is not None


def sha256_of_number(engine: Engine, number: int) -> str:
    """The hash of the picture that raters know by this number; empty for none."""
    again = select_rows(col(Image.sha256)).join(Repeat, col(Repeat.image_id) == Image.id)
    found = union_all(
        select_rows(col(Image.sha256)).where(col(Image.number) == number), again.where(col(Repeat.number) == number)
    )
    with reading(engine) as session:
        return session.execute(found).scalar() or ""


def recent_votes(engine: Engine, rater: str, limit: int = 20) -> list[GivenVote]:
    """This rater's current votes, latest first.

    But for those that the rater has been given again and not judged since: beside its answer a repeat would be known.
    """
    # Not a join with the raters: PostgreSQL would read every current vote.
    me = select_rows(col(Rater.id)).where(is_named(rater)).scalar_subquery()
    with reading(engine) as session:
        found = session.execute(
            shown_to(me)
            .add_columns(col(CurrentVote.verdict), col(CurrentVote.vote_id))
            .join(CurrentVote, col(CurrentVote.image_id) == Image.id)
            .where(col(CurrentVote.rater_id) == me, col(CurrentVote.verdict) != Verdict.undo)
            .where(~is_unanswered_repeat(me))
            .order_by(col(CurrentVote.vote_id).desc())
            .limit(limit)
        ).all()
        ids = [row.vote_id for row in found]
        reasons = select_rows(col(VoteReason.vote_id), col(VoteReason.reason)).order_by(col(VoteReason.reason))
        marks = select_rows(col(Mark.vote_id), col(Mark.x), col(Mark.y)).order_by(col(Mark.id))
        said = _by_vote(session.execute(reasons.where(col(VoteReason.vote_id).in_(ids))))
        seen = _by_vote(session.execute(marks.where(col(Mark.vote_id).in_(ids))))
        return [
            GivenVote(Shown(*shown), verdict, tuple(reason for (reason,) in said[vote_id]), tuple(seen[vote_id]))
            for *shown, verdict, vote_id in found
        ]


def _by_vote(rows: Iterable[Any]) -> dict[int, list[tuple[Any, ...]]]:
    grouped: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for vote_id, *noted in rows:
        grouped[vote_id].append(tuple(noted))
    return grouped


def _rows_of(session: Session, rater: str, numbers: set[int]) -> dict[int, int]:
    """The row of each picture that this rater may know by its number; public numbers and rows never meet."""
    me = select_rows(col(Rater.id)).where(is_named(rater)).scalar_subquery()
    public, rows = [n for n in numbers if n >= FIRST_NUMBER], [n for n in numbers if n < FIRST_NUMBER]
    found = [
        select_rows(col(Image.number), col(Image.id)).where(col(Image.number).in_(public)),
        select_rows(col(Repeat.number), col(Repeat.image_id)).where(
            col(Repeat.number).in_(public), col(Repeat.rater_id) == me
        ),
    ]
    if rows:
        held = select_rows(col(Lease.image_id), col(Lease.image_id)).where(col(Lease.image_id).in_(rows))
        found.append(held.where(col(Lease.rater_id) == me, col(Lease.knows_row)))
    return {number: row for number, row in session.execute(union_all(*found))}


def _record(session: Session, me: int, press: Press, terms: Terms, now: datetime) -> Receipt:
    image_id = press.image_id if press.image_id < NO_ROW else 0
    try:
        before = before_vote(session, me, image_id, press.request_id)
        if _is_repeated(before, me, press):
            return Receipt(press.request_id)
        if before.version is None or before.lease_id is None:
            raise UnknownImage("this picture was never shown to this rater; vote on the next ones that are shown")
    except InputError as error:
        return Receipt(press.request_id, str(error))
    vote_id = write_press(session, me, press, now)
    vote = NewVote(image_id, me, press.verdict, vote_id, now.date())
    until = now + timedelta(seconds=terms.lease_s) if press.verdict is Verdict.undo else now
    lease = Change(Lease, {"id": before.lease_id}, put={"expires_at": until}, is_known=True)
    write_changes(session, [lease, *changes_of(before, vote, terms.overlap)])
    return Receipt(press.request_id)


def write_press(session: Session, me: int, press: Press, now: datetime) -> int:
    """The row of a vote with its reasons and marks, without what follows from it; for use inside a `writing` block."""
    columns = {name: getattr(press, name) for name in PRESSED}
    row = session.connection().execute(NEW_VOTE, columns | {"rater_id": me, "received_at": now})
    assert row.inserted_primary_key is not None
    vote_id: int = row.inserted_primary_key[0]
    if press.verdict is not Verdict.reject:
        return vote_id
    session.add_all(VoteReason(vote_id=vote_id, reason=reason) for reason in sorted(press.reasons))
    session.add_all(Mark(vote_id=vote_id, x=mark.x, y=mark.y) for mark in press.marks)
    return vote_id


def _is_repeated(before: Row[Any], me: int, press: Press) -> bool:
    if before.known_rater is None:
        return False
    if (before.known_rater, before.known_image, before.known_verdict) != (me, press.image_id, press.verdict):
        raise RequestConflict(
            f"request {press.request_id} was already used for another vote; give every vote its own id"
        )
    return True
