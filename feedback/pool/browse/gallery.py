"""The judged pictures, filtered, sorted and paged, as the page Pool shows them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, Select, func
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, select

from feedback.check.looks import Doubt, doubts_on, select_waiting
from feedback.pool.counts import POOLED, count_pool, is_vote
from feedback.pool.verdicts import (
    KEEPS,
    REJECTS,
    RULED,
    is_counted,
    is_disputed,
    is_kept,
    is_rejected,
    select_taken_out,
)
from store.engine import reading
from store.tables import (
    CurrentVote,
    Image,
    ImageTally,
    PictureScore,
    Prompt,
    Rater,
    Reason,
    Verdict,
    VoteCount,
    VoteReason,
)
from store.texts import name_key

MOST_COUNTED = 20_000
"""A filter that no counter answers is counted up to here; beyond it the page says "more than"."""
MOST_SORTED = 20_000
"""Other orders than by age are of so many of the newest pictures that pass the filter."""


class Which(StrEnum):
    """The parts of the gallery."""

    rejects = "rejects"
    keeps = "keeps"
    disputed = "disputed"
    overruled = "overruled"
    look_again = "look again"
    taken_out = "taken out"


class Accord(StrEnum):
    any = "any"
    unanimous = "all agree"
    divided = "not all agree"


class Sort(StrEnum):
    """The order; by the newest check, what it finds most like the rejects comes first."""

    newest = "newest"
    oldest = "oldest"
    prompt = "prompt"
    votes = "most votes"
    check = "check"


class Filter(NamedTuple):
    """What to show; the defaults show every reject. Dates are of the current votes, UTC, both included."""

    which: Which = Which.rejects
    prompt: str = ""
    reason: Reason | None = None
    version: int | None = None
    rater: str = ""
    accord: Accord = Accord.any
    since: date | None = None
    until: date | None = None


class View(NamedTuple):
    """Which page, of how many pictures, in which order."""

    page: int = 0
    size: int = 60
    sort: Sort = Sort.newest


class Thumb(NamedTuple):
    """One picture of the gallery; `ruled` is a curator's verdict, `reasons` are those of the votes that count."""

    image_id: int
    sha256: str
    width: int
    prompt: str
    version: int
    rejects: int
    keeps: int
    ruled: Verdict | None
    reasons: tuple[str, ...] = ()


class Gallery(NamedTuple):
    """One page of pictures and how many pass the filter; `is_more`: more than `total` do.

    `doubts` are the votes that wait for another look, by image, where the filter asks for them.
    """

    thumbs: list[Thumb]
    total: int
    is_more: bool = False
    doubts: Mapping[int, Doubt] = MappingProxyType({})


def gallery(engine: Engine, wanted: Filter, view: View = View(), most: int = MOST_COUNTED) -> Gallery:
    """One page of the pictures that pass the filter; at most `most` beyond it are counted."""
    with reading(engine) as session:
        rows = _filtered(session, wanted)
        shown = session.execute(_sorted(session, rows, view.sort).offset(view.page * view.size).limit(view.size))
        thumbs = [Thumb(*row) for row in shown]
        ids = [thumb.image_id for thumb in thumbs]
        reasons = reasons_on(session, ids)
        thumbs = [thumb._replace(reasons=tuple(reasons[thumb.image_id])) for thumb in thumbs]
        doubts = doubts_on(session, ids) if wanted.which is Which.look_again else {}
        if (total := _counted(session, wanted)) is None:
            limit = view.page * view.size + most
            up_to = rows.with_only_columns(col(Image.id)).limit(limit + 1).subquery()
            found = session.execute(select(func.count()).select_from(up_to)).scalar_one()
            return Gallery(thumbs, min(found, limit), found > limit, doubts)
        return Gallery(thumbs, total)


def matching(engine: Engine, wanted: Filter, most: int) -> list[int]:
    """The pictures that pass the filter, newest first, at most `most`."""
    with reading(engine) as session:
        rows = _filtered(session, wanted).with_only_columns(col(Image.id)).order_by(col(Image.id).desc())
        return list(session.execute(rows.limit(most)).scalars())


def reasons_on(session: Session, images: Sequence[int]) -> dict[int, list[str]]:
    """The reasons of the rejects that count, by image, each once."""
    rows = session.execute(
        sa_select(col(CurrentVote.image_id), col(VoteReason.reason))
        .join(VoteReason, col(VoteReason.vote_id) == CurrentVote.vote_id)
        .where(col(CurrentVote.image_id).in_(images), is_counted(CurrentVote.rater_id), is_vote())
        .distinct()
        .order_by(col(VoteReason.reason))
    )
    found: dict[int, list[str]] = defaultdict(list)
    for image, reason in rows:
        found[image].append(Reason(reason).value)
    return found


def part(which: Which) -> ColumnElement[bool]:
    """Condition on `Image` and `ImageTally`: the picture is in that part of the gallery."""
    is_out = col(Image.id).in_(select_taken_out())
    return {
        Which.rejects: is_rejected() & ~is_out,
        Which.keeps: is_kept() & ~is_out,
        Which.disputed: is_disputed() & ~is_out,
        Which.overruled: RULED.is_not(None) & ~is_out,
        Which.look_again: col(Image.id).in_(select_waiting()) & ~is_out,
        Which.taken_out: is_out,
    }[which]


def narrowed(session: Session, rows: Select, wanted: Filter) -> Select:
    """Rows of `Image` and `ImageTally` that pass the filter, whatever part of the gallery they are in."""
    rows = rows.join(ImageTally, col(ImageTally.image_id) == Image.id)
    rows = rows.where(col(Image.origin).in_(POOLED), (REJECTS + KEEPS > 0) | RULED.is_not(None))
    if wanted.prompt.strip():
        has = select(Prompt.id).where(col(Prompt.text).icontains(wanted.prompt.strip(), autoescape=True))
        rows = rows.where(col(Image.prompt_id).in_(has))
    if wanted.version is not None:
        rows = rows.where(col(Image.version) == wanted.version)
    if wanted.accord is not Accord.any:
        rows = rows.where(is_unanimous() if wanted.accord is Accord.unanimous else ~is_unanimous())
    return _of_votes(session, rows, wanted)


def is_unanimous() -> ColumnElement[bool]:
    """Condition on `ImageTally`: all votes say the same."""
    return (REJECTS == 0) | (KEEPS == 0)


def votes_of(wanted: Filter) -> list[Any]:
    """Conditions on `CurrentVote`, and on `VoteReason` where a reason is asked for: the vote passes the filter."""
    rater = wanted.rater.strip()
    if rater:
        whose = col(CurrentVote.rater_id) == select(Rater.id).where(Rater.name_key == name_key(rater)).scalar_subquery()
    else:
        whose = is_counted(CurrentVote.rater_id)
    is_so = [] if wanted.reason is None else [col(VoteReason.reason) == wanted.reason]
    return [is_vote(), whose, *_of_days(CurrentVote.day, wanted), *is_so]


def _counted(session: Session, wanted: Filter) -> int | None:
    """How many pictures pass the filter, where the counters know; None where they do not."""
    if wanted != Filter(which=wanted.which, version=wanted.version):
        return None
    counts = count_pool(session, wanted.version)
    known = {Which.rejects: counts.rejects, Which.keeps: counts.keeps, Which.disputed: counts.disputed}
    return known.get(wanted.which)


def _filtered(session: Session, wanted: Filter) -> Select:
    columns = (Image.id, Image.sha256, Image.width, Prompt.text, Image.version)
    rows = sa_select(*map(col, columns), REJECTS, KEEPS, RULED)
    return narrowed(session, rows, wanted).join(Prompt, col(Prompt.id) == Image.prompt_id).where(part(wanted.which))


def _sorted(session: Session, rows: Select, sort: Sort) -> Select:
    newest = col(Image.id).desc()
    if sort in (Sort.newest, Sort.oldest):
        return rows.order_by(newest if sort is Sort.newest else col(Image.id))
    few = rows.with_only_columns(col(Image.id)).order_by(newest).limit(MOST_SORTED).subquery()
    rows = rows.where(col(Image.id).in_(sa_select(few.c.id)))
    if sort is Sort.prompt:
        return rows.order_by(col(Prompt.text), newest)
    if sort is Sort.votes:
        return rows.order_by((REJECTS + KEEPS).desc(), newest)
    checked = session.exec(select(func.max(PictureScore.version))).one()
    rows = rows.join(
        PictureScore,
        (col(PictureScore.image_id) == Image.id) & (col(PictureScore.version) == checked),
        isouter=True,
    )
    return rows.order_by(func.coalesce(PictureScore.score, -1e9).desc(), newest)


def _of_votes(session: Session, rows: Select, wanted: Filter) -> Select:
    """The filters that ask for a vote: by whom, when, for which reason; one current vote must pass all of them."""
    days, rater = _of_days(CurrentVote.day, wanted), wanted.rater.strip()
    if not (rater or wanted.reason or days):
        return rows
    votes = sa_select(col(CurrentVote.image_id)).where(*votes_of(wanted))
    if wanted.reason is not None:
        votes = votes.join(VoteReason, col(VoteReason.vote_id) == CurrentVote.vote_id)
    if rater and days:  # one rater's votes of a few days are quicker to list than to look for picture by picture
        return rows.where(col(Image.id).in_(votes))
    return rows.where(votes.where(col(CurrentVote.image_id) == col(Image.id)).exists(), *_within(session, wanted))


def _of_days(day: Any, wanted: Filter) -> list[Any]:
    since = [] if wanted.since is None else [col(day) >= wanted.since]
    return since + ([] if wanted.until is None else [col(day) <= wanted.until])


def _within(session: Session, wanted: Filter) -> list[Any]:
    """Conditions that spare the query the pictures of versions on which nobody voted in those days."""
    if not (days := _of_days(VoteCount.day, wanted)) or wanted.rater.strip():
        return []
    versions = session.exec(select(VoteCount.version).where(col(VoteCount.origin).in_(POOLED), *days).distinct())
    ends = [
        session.exec(select(end(Image.id)).where(Image.version == version, Image.origin == origin)).one()
        for version in versions
        for origin in POOLED
        for end in (func.min, func.max)
    ]
    known = [end for end in ends if end is not None]
    return [col(Image.id).between(min(known, default=0), max(known, default=0))]
