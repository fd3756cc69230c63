"""The judged pictures, filtered and paged, as the page Pool shows them."""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Engine, Select, func
from sqlalchemy import select as sa_select
from sqlmodel import col, select

from feedback.pool.verdicts import counts_by_image, select_taken_out
from store.engine import reading
from store.tables import CurrentVote, Image, Origin, Prompt, Rater, Reason, Vote, VoteReason


class Which(StrEnum):
    """The parts of the gallery."""

    rejects = "rejects"
    keeps = "keeps"
    disputed = "disputed"
    taken_out = "taken out"


class Accord(StrEnum):
    any = "any"
    unanimous = "all agree"
    divided = "not all agree"


class Filter(NamedTuple):
    """What to show; the defaults show every reject. Dates are of the votes, UTC, both included."""

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


def gallery(engine: Engine, wanted: Filter, *, page: int = 0, size: int = 60) -> tuple[list[Thumb], int]:
    """One page of the pictures that pass the filter, newest first, and how many there are in all."""
    rows = _filtered(wanted)
    with reading(engine) as session:
        total = session.execute(select(func.count()).select_from(rows.subquery())).scalar_one()
        shown = session.execute(rows.order_by(col(Image.id).desc()).offset(page * size).limit(size))
        return [Thumb(*row) for row in shown], total


def _filtered(wanted: Filter) -> Select:
    counts = counts_by_image().subquery()
    rejects, keeps = counts.c.rejects, counts.c.keeps
    is_out = col(Image.id).in_(select_taken_out())
    rows = (
        sa_select(*map(col, (Image.id, Image.sha256, Image.width, Prompt.text, Image.version)), rejects, keeps)
        .join(counts, counts.c.image_id == Image.id)
        .join(Prompt, col(Prompt.id) == Image.prompt_id)
        .where(col(Image.origin) == Origin.sampled, rejects + keeps > 0)
        .where(
            {
                Which.rejects: (rejects > keeps) & ~is_out,
                Which.keeps: (rejects < keeps) & ~is_out,
                Which.disputed: (rejects == keeps) & ~is_out,
                Which.taken_out: is_out,
            }[wanted.which]
        )
    )
    if wanted.prompt.strip():
        rows = rows.where(col(Prompt.text).icontains(wanted.prompt.strip(), autoescape=True))
    if wanted.version is not None:
        rows = rows.where(col(Image.version) == wanted.version)
    if wanted.accord is not Accord.any:
        is_unanimous = (rejects == 0) | (keeps == 0)
        rows = rows.where(is_unanimous if wanted.accord is Accord.unanimous else ~is_unanimous)
    return _of_votes(rows, wanted)


def _of_votes(rows: Select, wanted: Filter) -> Select:
    """The filters that ask for a vote: by whom, when, for which reason; one vote must pass all of them."""
    votes = select(Vote.id).where(Vote.image_id == Image.id)
    is_asked = False
    if wanted.rater.strip():
        votes = votes.join(Rater, col(Rater.id) == Vote.rater_id).where(Rater.name == wanted.rater.strip())
        is_asked = True
    if wanted.reason is not None:
        # A vote that was undone or changed took its reasons with it.
        votes = votes.join(CurrentVote, col(CurrentVote.vote_id) == Vote.id)
        votes = votes.join(VoteReason, col(VoteReason.vote_id) == Vote.id).where(VoteReason.reason == wanted.reason)
        is_asked = True
    if wanted.since is not None:
        votes = votes.where(Vote.received_at >= datetime.combine(wanted.since, time(), UTC))
        is_asked = True
    if wanted.until is not None:
        votes = votes.where(Vote.received_at < datetime.combine(wanted.until, time(), UTC) + timedelta(days=1))
        is_asked = True
    return rows.where(votes.exists()) if is_asked else rows
