"""Pictures to ask about: drawn, and chosen among several, for what their votes teach.

They make up `ask_share` of what raters see. The other pictures stay a random sample of what the versions draw: prompts
in turn, shown in random order, never chosen. Rates count only those.

A prompt is drawn more often the less is known of whether the version gets it right: with the chance p that its pictures
are rejected, in proportion to the variance of a vote, p(1 - p), but never less than FLOOR of the highest weight.
"""

import random
from collections.abc import Callable
from itertools import accumulate, islice
from math import ceil
from typing import NamedTuple

from sqlalchemy import ColumnElement, Engine, case, func, update
from sqlmodel import Session, col, select

from feedback.check.teaching import COMMITTEE
from feedback.check.version_check import VersionCheck
from feedback.pool.counts import POOLED
from feedback.pool.verdicts import is_judged, is_rejected
from feedback.sample.release import nobody_judged
from feedback.succession import PLAIN
from store.engine import reading, writing
from store.tables import Image, ImageTally, Lease, Origin, PictureScore, Prompt, Version

CANDIDATES = 4
"""So many pictures are drawn for each one that raters are asked about."""
RECENT_PICTURES = 20_000
"""Votes on so many of the newest pictures say what is wrong with a prompt."""
FLOOR = 0.2


class Votes(NamedTuple):
    """Judged pictures of a prompt, and how many of them are rejects."""

    rejects: int
    judged: int


def rooms(target: int, ask_share: float) -> tuple[int, int]:
    """How many of `target` free pictures are a random sample, and how many raters are soon asked about.

    >>> rooms(24, 0.0), rooms(24, 0.25), rooms(1, 0.5)
    ((24, 0), (18, 6), (1, 1))
    """
    return (max(1, target - round(ask_share * target)), ceil(ask_share * target)) if ask_share else (target, 0)


def lacking(session: Session, live: int, asked: int) -> int:
    """How many pictures to ask about are missing; their claims are not looked at.

    Without a check that is on there is nothing to choose by, and one picture is drawn for each. With one, at most one
    in CANDIDATES of the newest CANDIDATES x `asked` may be spent: judged, given out, or no longer queued. More are
    drawn as the best are taken, so that what is left over does not become the only choice.
    """
    if not asked:
        return 0
    these = (Image.origin == Origin.asked, col(Image.version).in_([live, PLAIN]))
    free = col(Image.is_queued) & nobody_judged() & ~_is_held()
    if not find_committee(session):
        return max(0, asked - session.exec(select(func.count(col(Image.id))).where(*these, free)).one())
    newest = (select(Image.id).where(*these).order_by(col(Image.id).desc()).limit(CANDIDATES * asked)).subquery()
    counted = select(func.count(), func.coalesce(func.sum(case((free, 0), else_=1)), 0))
    drawn, spent = session.exec(counted.select_from(Image).where(col(Image.id).in_(select(newest.c.id)))).one()
    return max(CANDIDATES * asked - drawn, CANDIDATES * (spent - asked), 0)


def let_go(engine: Engine, target: int, ask_share: float) -> int:
    """How many pictures left the queue because newer ones to ask about have taken their place."""
    _, asked = rooms(target, ask_share)
    if not asked:
        return 0
    queued = select(Image.id).where(col(Image.is_queued), Image.origin == Origin.asked, nobody_judged(), ~_is_held())
    older = queued.order_by(col(Image.id).desc()).offset(CANDIDATES * asked)
    with reading(engine) as session:
        gone = list(session.exec(older))
    if gone:
        with writing(engine) as session:
            session.exec(update(Image).where(col(Image.id).in_(gone), nobody_judged()).values(is_queued=False))
    return len(gone)


def draw_prompt(session: Session, live: int) -> Callable[[random.Random], int]:
    """A function that draws the id of a prompt in use, in proportion to the prompts' weights."""
    weights = prompt_weights(session, live)
    ids, ends = list(weights), list(accumulate(weights.values()))
    return lambda chance: chance.choices(ids, cum_weights=ends)[0]


def prompt_weights(session: Session, live: int) -> dict[int, float]:
    """The weight of every prompt in use, above 0: what the votes on the live version's pictures leave open, p(1 - p),
    times the weight that a person gave it.

    The share of rejects of all versions' pictures counts as two more votes.
    """
    own, everyones = _votes(session, live), _votes(session, None)
    prompts = session.exec(select(Prompt.id, Prompt.weight).where(col(Prompt.is_active)).order_by(col(Prompt.id)))
    nothing = Votes(0, 0)
    return {
        id: times * weight(own.get(id, nothing), everyones.get(id, nothing)) for id, times in prompts if id is not None
    }


def weight(own: Votes, everyones: Votes) -> float:
    """p(1 - p), at least FLOOR of its highest, 1/4; p is the share of rejects, smoothed.

    >>> weight(Votes(0, 0), Votes(0, 0)), weight(Votes(3, 6), Votes(0, 0)), weight(Votes(0, 40), Votes(9, 10))
    (0.25, 0.25, 0.05)
    """
    before = (everyones.rejects + 1) / (everyones.judged + 2)
    p = (own.rejects + 2 * before) / (own.judged + 2)
    return max(FLOOR / 4, p * (1 - p))


class Unscored(NamedTuple):
    """A picture without the score of some version's check."""

    image_id: int
    image: Image
    prompt: str


def find_committee(session: Session) -> list[Version]:
    """The versions whose checks say what a vote would teach: the newest sound ones with a check that is on."""
    sound = select(Version).where(Version.damage == "").order_by(col(Version.number).desc())
    on = (version for version in session.exec(sound) if (check := VersionCheck.of(version)) and check.is_on)
    return list(islice(on, COMMITTEE))


def committee(engine: Engine) -> list[Version]:
    """What `find_committee` finds, read in a new session."""
    with reading(engine) as session:
        return find_committee(session)


def list_unscored(engine: Engine, version: int, limit: int = 256) -> list[Unscored]:
    """Pictures to ask about that wait for their first vote and for the score of this version."""
    scored = select(PictureScore.image_id).where(PictureScore.image_id == Image.id, PictureScore.version == version)
    waiting = (
        select(Image, Prompt.text)
        .join(Prompt, col(Prompt.id) == Image.prompt_id)
        .where(col(Image.is_queued), Image.origin == Origin.asked, nobody_judged(), ~scored.exists())
        .order_by(col(Image.width), col(Image.height), col(Image.id))
        .limit(limit)
    )
    with reading(engine) as session:
        return [Unscored(image.id, image, prompt) for image, prompt in session.exec(waiting) if image.id is not None]


def record_scores(engine: Engine, version: int, scores: dict[int, float]) -> None:
    """Records the scores by picture of a version that was not trained on them; those it has stay."""
    with writing(engine) as session:
        of_version = select(PictureScore.image_id).where(PictureScore.version == version)
        known = set(session.exec(of_version.where(col(PictureScore.image_id).in_(scores))))
        session.add_all(
            PictureScore(image_id=image, version=version, score=score, is_out_of_sample=True)
            for image, score in scores.items()
            if image not in known
        )


def _votes(session: Session, version: int | None) -> dict[int, Votes]:
    """Judged pictures by prompt, of one version or of all, among the newest."""
    newest = select(func.coalesce(func.max(Image.id), 0)).scalar_subquery()
    rows = (
        select(Image.prompt_id, func.sum(case((is_rejected(), 1), else_=0)), func.count())
        .join(ImageTally, col(ImageTally.image_id) == Image.id)
        .where(col(Image.id) > newest - RECENT_PICTURES, col(Image.origin).in_(POOLED), is_judged())
        .group_by(col(Image.prompt_id))
    )
    if version is not None:
        rows = rows.where(Image.version == version)
    return {prompt: Votes(rejected, judged) for prompt, rejected, judged in session.exec(rows)}


def _is_held() -> ColumnElement[bool]:
    return select(Lease.id).where(Lease.image_id == Image.id).exists()
