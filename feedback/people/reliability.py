"""Who votes with care: figures for each rater, and flags with their reason. Flags judge nobody; a person decides."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from statistics import median
from typing import NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from feedback.people.agreement import Counts, ac1, alpha, percent_agreement
from feedback.rate.controls import control_answers
from feedback.rate.repeats import repeat_answers
from feedback.statistics import Fraction
from store.engine import reading
from store.tables import Image, Origin, PersonRole, Rater, Verdict, Vote, utc_now

RECENT = 20_000
"""Pace and agreement are of the newest votes, this many."""
FAST_S = 0.5

CONTROL_FLOOR, MIN_CONTROLS = 0.8, 10
REPEAT_FLOOR, MIN_REPEATS = 0.7, 10
FAST_SHARE, MIN_TIMED = 0.3, 50
ONE_SIDED_SHARE, MIN_VOTES = 0.98, 100
MIN_PAIRS = 50


@dataclass(frozen=True)
class RaterFigures:
    """One rater. `a_day` is over days with any vote; `pairs` count votes on images that others judged as well."""

    name: str
    role: PersonRole
    is_paused: bool
    is_excluded: bool
    votes: int
    today: int
    a_day: float
    seconds: float | None
    fast: Fraction
    rejects: Fraction
    controls: Fraction
    repeats: Fraction
    pairs: int
    agreement: float | None
    alpha: float | None
    ac1: float | None
    last_at: datetime | None

    @property
    def flags(self) -> list[str]:
        """Why somebody should look at this rater; empty when nothing stands out."""
        return flags_of(self.controls, self.repeats, self.fast, self.rejects, self.pairs, self.ac1)


def flags_of(
    controls: Fraction, repeats: Fraction, fast: Fraction, rejects: Fraction, pairs: int = 0, ac1: float | None = None
) -> list[str]:
    """The flags that figures raise, each a sentence with its figures.

    >>> flags_of(Fraction(14, 30), Fraction(0, 0), Fraction(0, 0), Fraction(20, 40))
    ['14 of 30 controls right: below 80 % beyond chance']
    """
    flags = []
    if controls.whole >= MIN_CONTROLS and controls.interval.high < CONTROL_FLOOR:
        flags.append(f"{controls.part} of {controls.whole} controls right: below 80 % beyond chance")
    if repeats.whole >= MIN_REPEATS and repeats.interval.high < REPEAT_FLOOR:
        flags.append(f"{repeats.part} of {repeats.whole} repeats judged alike: below 70 % beyond chance")
    if fast.whole >= MIN_TIMED and fast.part > FAST_SHARE * fast.whole:
        flags.append(f"{fast.part} of {fast.whole} votes within half a second of seeing the picture")
    more = max(rejects.part, rejects.whole - rejects.part)
    if rejects.whole >= MIN_VOTES and more >= ONE_SIDED_SHARE * rejects.whole:
        flags.append(f"nearly all of {rejects.whole} votes are alike: {rejects.part} rejects")
    if pairs >= MIN_PAIRS and ac1 is not None and ac1 <= 0:
        flags.append(f"agrees with others no more than chance would, over {pairs} shared votes")
    return flags


def rater_figures(engine: Engine, now: datetime | None = None) -> list[RaterFigures]:
    """Every rater, flagged ones first, then by votes."""
    now = now or utc_now()
    with reading(engine) as session:
        raters = list(session.exec(select(Rater)))
        totals = dict(session.exec(select(Vote.rater_id, func.count(col(Vote.id))).group_by(col(Vote.rater_id))).all())
        recent = _recent(session)
        controls = _shares((rater, is_right) for rater, _, is_right in control_answers(session))
        repeats = _shares((answer.rater_id, answer.is_same) for answer in repeat_answers(session))
    by_rater: dict[int, list[_Seen]] = defaultdict(list)
    for vote in recent:
        by_rater[vote.rater_id].append(vote)
    pairs = pairs_by_rater(recent)
    figures = [
        _figures(
            rater,
            totals.get(rater.id or 0, 0),
            by_rater[rater.id or 0],
            controls.get(rater.id or 0, Fraction(0, 0)),
            repeats.get(rater.id or 0, Fraction(0, 0)),
            pairs.get(rater.id or 0, []),
            now,
        )
        for rater in raters
    ]
    return sorted(figures, key=lambda row: (not row.flags, -row.votes, row.name))


class _Seen(NamedTuple):
    rater_id: int
    image_id: int
    verdict: Verdict
    shown_at: datetime | None
    decided_at: datetime | None
    received_at: datetime


def recent_counts(engine: Engine) -> list[tuple[int, int]]:
    """Rejects and keeps on each image of the newest votes, for agreement over all raters."""
    with reading(engine) as session:
        votes = _recent(session)
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for vote in _newest_verdicts(votes):
        counts[vote.image_id][vote.verdict is Verdict.keep] += 1
    return [(rejects, keeps) for rejects, keeps in counts.values()]


def pairs_by_rater(votes: Iterable[_Seen]) -> dict[int, list[tuple[int, int]]]:
    """For each rater, the pairs with another's vote on the same image, as (rejects, keeps) of the two."""
    by_image: dict[int, list[_Seen]] = defaultdict(list)
    for vote in _newest_verdicts(votes):
        by_image[vote.image_id].append(vote)
    pairs: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for together in by_image.values():
        for one, other in combinations(together, 2):
            rejects = (one.verdict, other.verdict).count(Verdict.reject)
            pairs[one.rater_id].append((rejects, 2 - rejects))
            pairs[other.rater_id].append((rejects, 2 - rejects))
    return pairs


def _recent(session: Session) -> list[_Seen]:
    """The newest votes but those on controls, oldest first."""
    rows = session.exec(
        select(Vote)
        .join(Image, col(Image.id) == Vote.image_id)
        .where(Image.origin != Origin.control)
        .order_by(col(Vote.id).desc())
        .limit(RECENT)
    ).all()
    return [_Seen(v.rater_id, v.image_id, v.verdict, v.shown_at, v.decided_at, v.received_at) for v in reversed(rows)]


def _newest_verdicts(votes: Iterable[_Seen]) -> list[_Seen]:
    """Each rater's newest reject or keep on each image."""
    newest = {(vote.rater_id, vote.image_id): vote for vote in votes}
    return [vote for vote in newest.values() if vote.verdict in (Verdict.reject, Verdict.keep)]


def _shares(answers: Iterable[tuple[int, bool]]) -> dict[int, Fraction]:
    right: Counter[int] = Counter()
    seen: Counter[int] = Counter()
    for rater, is_right in answers:
        right[rater] += is_right
        seen[rater] += 1
    return {rater: Fraction(right[rater], n) for rater, n in seen.items()}


def _figures(
    rater: Rater,
    total: int,
    votes: Sequence[_Seen],
    controls: Fraction,
    repeats: Fraction,
    pairs: Counts,
    now: datetime,
) -> RaterFigures:
    days = Counter(vote.received_at.date() for vote in votes)
    took = [(v.decided_at - v.shown_at).total_seconds() for v in votes if v.decided_at and v.shown_at]
    verdicts = _newest_verdicts(votes)
    return RaterFigures(
        name=rater.name,
        role=rater.role,
        is_paused=rater.is_paused,
        is_excluded=rater.is_excluded,
        votes=total,
        today=days.get(now.date(), 0),
        a_day=len(votes) / len(days) if days else 0.0,
        seconds=median(took) if took else None,
        fast=Fraction(sum(seconds < FAST_S for seconds in took), len(took)),
        rejects=Fraction(sum(vote.verdict is Verdict.reject for vote in verdicts), len(verdicts)),
        controls=controls,
        repeats=repeats,
        pairs=len(pairs),
        agreement=percent_agreement(pairs),
        alpha=alpha(pairs),
        ac1=ac1(pairs),
        last_at=votes[-1].received_at if votes else None,
    )
