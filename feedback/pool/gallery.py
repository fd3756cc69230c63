"""The judged pictures, filtered and paged, as the page Pool shows them."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Engine, Select, func
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, select

from feedback.check.looks import Doubt, doubts_on, select_waiting
from feedback.pool.counts import POOLED, count_pool, is_vote
from feedback.pool.verdicts import is_counted, select_taken_out
from store.engine import reading
from store.tables import CurrentVote, Image, ImageTally, Prompt, Rater, Reason, VoteCount, VoteReason
from store.texts import name_key

MOST_COUNTED = 1000
"""A filter that no counter answers is counted up to here; beyond it the page says "more than"."""


class Which(StrEnum):
    """The parts of the gallery."""

    rejects = "rejects"
    keeps = "keeps"
    disputed = "disputed"
    look_again = "look again"
    taken_out = "taken out"


class Accord(StrEnum):
    any = "any"
    unanimous = "all agree"
    divided = "not all agree"


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


class Thumb(NamedTuple):
    """One picture of the gallery."""

    image_id: int
    sha256: str
    width: int
    prompt: str
    version: int
    rejects: int
    keeps: int


class Gallery(NamedTuple):
    """One page of pictures and how many pass the filter; `is_more`: more than `total` do.

    `doubts` are the votes that wait for another look, by image, where the filter asks for them.
    """

    thumbs: list[Thumb]
    total: int
    is_more: bool = False
    doubts: Mapping[int, Doubt] = MappingProxyType({})


def gallery(engine: Engine, wanted: Filter, *, page: int = 0, size: int = 60, most: int = MOST_COUNTED) -> Gallery:
    """One page of the pictures that pass the filter, newest first; at most `most` beyond it are counted."""
    with reading(engine) as session:
        rows = _filtered(session, wanted)
        shown = session.execute(rows.order_by(col(Image.id).desc()).offset(page * size).limit(size))
        thumbs = [Thumb(*row) for row in shown]
        is_look = wanted.which is Which.look_again
        doubts = doubts_on(session, [thumb.image_id for thumb in thumbs]) if is_look else {}
        if (total := _counted(session, wanted)) is None:
            limit = page * size + most
            up_to = rows.with_only_columns(col(Image.id)).limit(limit + 1).subquery()
            found = session.execute(select(func.count()).select_from(up_to)).scalar_one()
            return Gallery(thumbs, min(found, limit), found > limit, doubts)
        return Gallery(thumbs, total)


def _counted(session: Session, wanted: Filter) -> int | None:
    """How many pictures pass the filter, where the counters know; None where they do not."""
    if wanted.which in (Which.taken_out, Which.look_again) or wanted != Filter(
        which=wanted.which, version=wanted.version
    ):
        return None
    counts = count_pool(session, wanted.version)
    return {Which.rejects: counts.rejects, Which.keeps: counts.keeps, Which.disputed: counts.disputed}[wanted.which]


def _filtered(session: Session, wanted: Filter) -> Select:
    rejects, keeps = col(ImageTally.rejects), col(ImageTally.keeps)
    is_out = col(Image.id).in_(select_taken_out())
    rows = (
        sa_select(*map(col, (Image.id, Image.sha256, Image.width, Prompt.text, Image.version)), rejects, keeps)
        .join(ImageTally, col(ImageTally.image_id) == Image.id)
        .join(Prompt, col(Prompt.id) == Image.prompt_id)
        .where(col(Image.origin).in_(POOLED), rejects + keeps > 0)
        .where(
            {
                Which.rejects: (rejects > keeps) & ~is_out,
                Which.keeps: (rejects < keeps) & ~is_out,
                Which.disputed: (rejects == keeps) & ~is_out,
                Which.look_again: col(Image.id).in_(select_waiting()) & ~is_out,
                Which.taken_out: is_out,
            }[wanted.which]
        )
    )
    if wanted.prompt.strip():
        has = select(Prompt.id).where(col(Prompt.text).icontains(wanted.prompt.strip(), autoescape=True))
        rows = rows.where(col(Image.prompt_id).in_(has))
    if wanted.version is not None:
        rows = rows.where(col(Image.version) == wanted.version)
    if wanted.accord is not Accord.any:
        is_unanimous = (rejects == 0) | (keeps == 0)
        rows = rows.where(is_unanimous if wanted.accord is Accord.unanimous else ~is_unanimous)
    return _of_votes(session, rows, wanted)


def _of_votes(session: Session, rows: Select, wanted: Filter) -> Select:
    """The filters that ask for a vote: by whom, when, for which reason; one current vote must pass all of them."""
    days, rater = _of_days(CurrentVote.day, wanted), wanted.rater.strip()
    if not (rater or wanted.reason or days):
        return rows
    votes = sa_select(col(CurrentVote.image_id)).where(is_vote(), *days)
    if rater:
        votes = votes.where(
            col(CurrentVote.rater_id) == select(Rater.id).where(Rater.name_key == name_key(rater)).scalar_subquery()
        )
    else:
        votes = votes.where(is_counted(CurrentVote.rater_id))
    if wanted.reason is not None:
        votes = votes.join(VoteReason, col(VoteReason.vote_id) == CurrentVote.vote_id)
        votes = votes.where(col(VoteReason.reason) == wanted.reason)
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
