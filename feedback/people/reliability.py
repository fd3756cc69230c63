"""Who votes with care: figures for each rater, and flags with their reason. Flags judge nobody; a person decides."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations
from statistics import median
from typing import NamedTuple, TypeVar

from sqlalchemy import Engine
from sqlalchemy import select as select_rows
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from feedback.check.looks import NO_LOOKS, Looks, looks_by_rater, was_contradicted
from feedback.people.agreement import Counts, ac1, alpha, percent_agreement
from feedback.pool.counts import IN_FIGURES, RaterDay, is_vote, votes_by_rater_and_day
from feedback.pool.share import SHARE, Capped, capped_raters
from feedback.rate.controls import control_answers
from feedback.rate.repeats import repeat_answers
from feedback.rate.votes import IMPORTED
from feedback.statistics import Fraction
from store.engine import reading
from store.phrases import plural
from store.tables import CurrentVote, Image, PersonRole, Rater, Verdict, Vote, utc_now

Value = TypeVar("Value")

RECENT = 10_000
"""Seconds and agreement are of the newest votes, this many, over all raters."""
FAST_S = 0.5

CONTROL_FLOOR, MIN_CONTROLS = 0.8, 10
REPEAT_FLOOR, MIN_REPEATS = 0.7, 10
FAST_SHARE, MIN_TIMED = 0.3, 50
ONE_SIDED_SHARE, MIN_VOTES = 0.98, 100
MIN_PAIRS = 50
MOST_A_MINUTE = 480


class Care(NamedTuple):
    """What raises flags: right controls, repeats judged alike, votes given too fast, rejects among the votes.

    `ac1` is Gwet's AC1 with other raters, over `pairs` shared votes; `busiest` the most votes received in a minute, of
    the newest RECENT over all raters; `capped` where more of the rejects are this rater's than count.
    """

    controls: Fraction = Fraction(0, 0)
    repeats: Fraction = Fraction(0, 0)
    fast: Fraction = Fraction(0, 0)
    rejects: Fraction = Fraction(0, 0)
    pairs: int = 0
    ac1: float | None = None
    busiest: int = 0
    capped: tuple[Capped, ...] = ()


@dataclass(frozen=True)
class RaterFigures:
    """One rater. `votes`, `today` and `rejects` are counted as `feedback.pool.counts` says, for an excluded rater as if
    the votes counted. `a_day` is over the days with a vote; `pairs` are pairs with another rater's vote on one image.
    """

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
    busiest: int = 0
    capped: tuple[Capped, ...] = ()
    looks: Looks = NO_LOOKS

    @property
    def flags(self) -> list[str]:
        """Why somebody should look at this rater; empty when nothing is unusual."""
        shares = (self.controls, self.repeats, self.fast, self.rejects)
        return flags_of(Care(*shares, self.pairs, self.ac1, self.busiest, self.capped))


def flags_of(care: Care) -> list[str]:
    """The flags that figures raise, each a sentence with its figures.

    >>> flags_of(Care(controls=Fraction(14, 30), rejects=Fraction(20, 40)))
    ['14 of 30 controls right: below 80 % beyond chance']
    """
    controls, repeats, fast, rejects, pairs, ac1, busiest, capped = care
    flags = []
    if controls.whole >= MIN_CONTROLS and controls.interval.high < CONTROL_FLOOR:
        flags.append(f"{controls.part} of {plural(controls.whole, 'control')} right: below 80 % beyond chance")
    if repeats.whole >= MIN_REPEATS and repeats.interval.high < REPEAT_FLOOR:
        flags.append(f"{repeats.part} of {plural(repeats.whole, 'repeat')} judged alike: below 70 % beyond chance")
    if fast.whole >= MIN_TIMED and fast.part > FAST_SHARE * fast.whole:
        flags.append(f"{fast.part} of {plural(fast.whole, 'vote')} within half a second of seeing the picture")
    more = max(rejects.part, rejects.whole - rejects.part)
    if rejects.whole >= MIN_VOTES and more >= ONE_SIDED_SHARE * rejects.whole:
        flags.append(f"nearly all of {rejects.whole} votes are alike: {plural(rejects.part, 'reject')}")
    if busiest > MOST_A_MINUTE:
        flags.append(f"{busiest} votes arrived in one minute: faster than a person judges, or kept while offline")
    for one in capped:
        flags.append(
            f"{one.rejects - one.counted} of {plural(one.rejects, 'reject')} on v{one.version} do not count in the "
            "pool: they are too large a share of that version's"
        )
    if pairs >= MIN_PAIRS and ac1 is not None and ac1 <= 0:
        flags.append(f"agrees with others no more than chance would, over {plural(pairs, 'shared vote')}")
    return flags


def rater_figures(engine: Engine, now: datetime | None = None, share: float = SHARE) -> list[RaterFigures]:
    """Every rater, flagged ones first, then by votes."""
    return agreement_and_figures(engine, now, share)[1]


def agreement_and_figures(
    engine: Engine, now: datetime | None = None, share: float = SHARE
) -> tuple[Counts, list[RaterFigures]]:
    """Rejects and keeps on each image of the newest votes that count, and every rater, flagged ones first."""
    now = now or utc_now()
    with reading(engine) as session:
        raters = list(session.exec(select(Rater)))
        days, last_at, recent = votes_by_rater_and_day(session), _last_at(session), _recent(session)
        busiest, capped, looks = _busiest(session), capped_raters(session, share), looks_by_rater(session)
        controls = _shares((rater, is_right) for rater, _, is_right in control_answers(session))
        repeats = _shares((answer.rater_id, answer.is_same) for answer in repeat_answers(session))
    counted = {rater.id for rater in raters if not rater.is_excluded}
    by_chance = [vote for vote in recent if vote.is_by_chance]
    pairs = pairs_by_rater(by_chance, counted)
    days_of = _group_by_rater((day.rater_id, day) for day in days)
    seconds_of = _group_by_rater((vote.rater_id, vote.seconds) for vote in recent if vote.seconds is not None)
    figures = []
    for rater in raters:
        mine, none = rater.id or 0, Fraction(0, 0)
        own = _Own(
            days_of[mine],
            seconds_of[mine],
            controls.get(mine, none),
            repeats.get(mine, none),
            pairs.get(mine, []),
            last_at.get(mine),
            busiest.get(mine, 0),
            tuple(one for one in capped if one.rater_id == mine),
            looks.get(mine, NO_LOOKS),
        )
        figures.append(_figures(rater, own, now.date()))
    counts = _counts_by_image(vote for vote in by_chance if vote.rater_id in counted)
    return counts, sorted(figures, key=lambda row: (not row.flags, -row.votes, row.name))


class _Seen(NamedTuple):
    rater_id: int
    image_id: int
    verdict: Verdict
    seconds: float | None
    is_by_chance: bool


class _Own(NamedTuple):
    """What is known of one rater, before it is put into figures."""

    days: list[RaterDay]
    seconds: list[float]
    controls: Fraction
    repeats: Fraction
    pairs: Counts
    last_at: datetime | None
    busiest: int
    capped: tuple[Capped, ...]
    looks: Looks


def _group_by_rater(values: Iterable[tuple[int, Value]]) -> dict[int, list[Value]]:
    groups: dict[int, list[Value]] = defaultdict(list)
    for rater_id, value in values:
        groups[rater_id].append(value)
    return groups


def _counts_by_image(votes: Iterable[_Seen]) -> list[tuple[int, int]]:
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for vote in votes:
        counts[vote.image_id][vote.verdict is Verdict.keep] += 1
    return [(rejects, keeps) for rejects, keeps in counts.values()]


def pairs_by_rater(votes: Iterable[_Seen], counted: Collection[int | None]) -> dict[int, list[tuple[int, int]]]:
    """For each rater, the pairs with the vote of another, who counts, on the same image, as (rejects, keeps)."""
    by_image: dict[int, list[_Seen]] = defaultdict(list)
    for vote in votes:
        by_image[vote.image_id].append(vote)
    pairs: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for together in by_image.values():
        for one, other in combinations(together, 2):
            rejects = (one.verdict, other.verdict).count(Verdict.reject)
            if other.rater_id in counted:
                pairs[one.rater_id].append((rejects, 2 - rejects))
            if one.rater_id in counted:
                pairs[other.rater_id].append((rejects, 2 - rejects))
    return pairs


def _recent(session: Session) -> list[_Seen]:
    """The newest votes, those of excluded raters among them. `is_by_chance`: no check chose who else votes on it."""
    columns = (Vote.rater_id, Vote.image_id, Vote.verdict, Vote.shown_at, Vote.decided_at)
    rows = session.execute(
        select_rows(*map(col, columns), ~was_contradicted(Vote.image_id))
        .join(CurrentVote, col(CurrentVote.vote_id) == Vote.id)
        .join(Image, col(Image.id) == Vote.image_id)
        .where(col(CurrentVote.image_id) == Vote.image_id, col(CurrentVote.rater_id) == Vote.rater_id)
        .where(col(Image.origin).in_(IN_FIGURES), is_vote())
        .order_by(col(Vote.id).desc())
        .limit(RECENT)
    )
    return [
        _Seen(rater, image, verdict, (decided - shown).total_seconds() if shown and decided else None, by_chance)
        for rater, image, verdict, shown, decided, by_chance in rows
    ]


def _busiest(session: Session) -> dict[int, int]:
    """The most votes of each rater in one minute, by the server's clock: a page's own times may be made up."""
    given_here = select_rows(col(Vote.rater_id), col(Vote.received_at)).where(col(Vote.page) != IMPORTED)
    rows = session.execute(given_here.order_by(col(Vote.id).desc()).limit(RECENT))
    minutes = Counter((rater, at.replace(second=0, microsecond=0)) for rater, at in rows)
    found: dict[int, int] = {}
    for (rater, _), votes in minutes.items():
        found[rater] = max(votes, found.get(rater, 0))
    return found


def _last_at(session: Session) -> dict[int, datetime]:
    """When each rater last pressed a key."""
    own = aliased(Vote)
    newest = select(func.max(own.id)).where(own.rater_id == Rater.id).scalar_subquery()
    rows = session.exec(select(Rater.id, Vote.received_at).join(Vote, col(Vote.id) == newest))
    return {rater or 0: at for rater, at in rows}


def _shares(answers: Iterable[tuple[int, bool]]) -> dict[int, Fraction]:
    right: Counter[int] = Counter()
    seen: Counter[int] = Counter()
    for rater, is_right in answers:
        right[rater] += is_right
        seen[rater] += 1
    return {rater: Fraction(right[rater], n) for rater, n in seen.items()}


def _figures(rater: Rater, own: _Own, today: date) -> RaterFigures:
    votes, rejects = sum(day.votes for day in own.days), sum(day.rejects for day in own.days)
    return RaterFigures(
        name=rater.name,
        role=rater.role,
        is_paused=rater.is_paused,
        is_excluded=rater.is_excluded,
        votes=votes,
        today=sum(day.votes for day in own.days if day.day >= today),
        a_day=votes / len(own.days) if own.days else 0.0,
        seconds=median(own.seconds) if own.seconds else None,
        fast=Fraction(sum(seconds < FAST_S for seconds in own.seconds), len(own.seconds)),
        rejects=Fraction(rejects, votes),
        controls=own.controls,
        repeats=own.repeats,
        pairs=len(own.pairs),
        agreement=percent_agreement(own.pairs),
        alpha=alpha(own.pairs),
        ac1=ac1(own.pairs),
        last_at=own.last_at,
        busiest=own.busiest,
        capped=own.capped,
        looks=own.looks,
    )
