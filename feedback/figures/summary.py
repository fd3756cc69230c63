"""The state of the loop in numbers. What each figure counts: `feedback.pool.counts`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine, case, func
from sqlmodel import Session, col, select

from feedback.check.looks import count_waiting, pairs_on_contradicted
from feedback.pool.counts import (
    IN_FIGURES,
    VOTES,
    count_drawn,
    count_imported,
    count_outcomes,
    count_pool,
    count_votes,
    is_vote,
)
from feedback.pool.damage import is_sound
from feedback.pool.verdicts import outcome_of_counts
from feedback.rate.raters import find_rater
from feedback.rate.repeats import answered_repeats
from feedback.retrain.lineage import lineage_counts
from feedback.runs import latest_run
from feedback.sample.evaluation import active_pairs
from feedback.statistics import Interval, confidence_sequence, wilson
from feedback.versions import withdrawn
from store.engine import reading
from store.tables import (
    Alias,
    CurrentVote,
    Image,
    ImageTally,
    Origin,
    Prompt,
    Rater,
    Run,
    Version,
    VersionTally,
    Vote,
    VoteCount,
    utc_now,
)


@dataclass(frozen=True)
class VersionRow:
    """One version in the table: `votes` on its sampled pictures, of which `judged` have a verdict, `rejected` a reject.

    It was trained on `trained_on` rejects, `trained_new` of which its parent was not, and not on `trained_gone` others
    that its parent was: they were taken back or disputed between. Of `vote_pairs` pairs of votes on
    one image `agreeing` say the same, without pairs that exist because the first vote looked like a slip.
    """

    number: int
    aliases: tuple[str, ...]
    rejected: int
    judged: int
    votes: int
    raters: int
    trained_on: int
    created_at: datetime
    trained_new: int = 0
    trained_gone: int = 0
    vote_pairs: int = 0
    agreeing: int = 0
    is_withdrawn: bool = False
    sha256: str | None = None

    @property
    def rate(self) -> float | None:
        """Thumbs-down rate: share of judged images that are rejects; None before the first."""
        return self.rejected / self.judged if self.judged else None

    @property
    def interval(self) -> Interval:
        """95 % Wilson interval of the rate."""
        return wilson(self.rejected, self.judged)

    @property
    def watched(self) -> Interval:
        """An interval that may be watched as the votes come: a confidence sequence."""
        return confidence_sequence(self.rejected, self.judged)

    @property
    def agreement(self) -> float | None:
        """Share of the pairs of votes on one image that say the same; None while no image has two votes."""
        return self.agreeing / self.vote_pairs if self.vote_pairs else None


@dataclass(frozen=True)
class Standing:
    """The loop at this instant, counted as `feedback.pool.counts` says.

    Of the `drawn` and `imported` pictures, `judged` have a verdict. The pool holds `rejects`, `keeps` and `disputed`.
    `damaged` says why nothing is drawn with some versions; `look_again` votes look like slips.
    """

    waiting: int
    drawn: int
    imported: int
    votes: int
    votes_today: int
    raters: int
    judged: int
    rejects: int
    keeps: int
    disputed: int
    prompts: int
    run: Run | None
    damaged: tuple[str, ...] = ()
    look_again: int = 0


@dataclass(frozen=True)
class Progress:
    """What one rater has answered with reject or keep, in all and today (UTC).

    Controls and repeats count as the pictures they look like, or the count would give them away. So a rater may have
    more answers than votes.
    """

    answers: int
    today: int


class RatingState(NamedTuple):
    """What a rater's page shows beside the pictures: own progress and the newest run."""

    progress: Progress
    run: Run | None


@dataclass(frozen=True)
class GridPair:
    """One prompt and seed of the same-seed grid, with the picture of each version (SHA-256) and its verdict."""

    prompt: str
    seed: int
    pictures: dict[int, str]
    outcomes: dict[int, str] = field(default_factory=dict)


def version_rows(engine: Engine) -> list[VersionRow]:
    """All versions, newest first."""
    with reading(engine) as session:
        aliases: dict[int, list[str]] = {}
        for alias in session.exec(select(Alias)):
            aliases.setdefault(alias.version, []).append(alias.name.value)
        tallies, votes, chosen = _tallies(session), _votes_by_version(session), pairs_on_contradicted(session)
        gone, versions = withdrawn(session), list(session.exec(select(Version).order_by(col(Version.number).desc())))
        manifests = {version.number: version.manifest_id for version in versions}
        rows = []
        for version in versions:
            tally = tallies.get(version.number, VersionTally(version=version.number, origin=Origin.sampled))
            pairs, agreeing = chosen.get(version.number, (0, 0))
            parent = manifests.get(-1 if version.parent is None else version.parent)
            trained = lineage_counts(session, version.manifest_id, parent)
            gone_since = lineage_counts(session, parent, version.manifest_id)[1] if version.manifest_id else 0
            rows.append(
                VersionRow(
                    version.number,
                    tuple(sorted(aliases.get(version.number, []))),
                    tally.rejected,
                    tally.rejected + tally.kept,
                    *votes.get(version.number, (0, 0)),
                    trained_on=trained[0],
                    created_at=version.created_at,
                    trained_new=trained[1],
                    trained_gone=gone_since,
                    vote_pairs=tally.vote_pairs - pairs,
                    agreeing=tally.agreeing - agreeing,
                    is_withdrawn=version.number in gone,
                    sha256=version.sha256,
                )
            )
        return rows


def standing(engine: Engine, now: datetime | None = None) -> Standing:
    """The counts of the overview page; `now` (UTC) says when today began."""
    now = now or utc_now()
    with reading(engine) as session:
        votes, pool = count_votes(session, now.date()), count_pool(session)
        return Standing(
            waiting=_waiting(session),
            drawn=count_drawn(session),
            imported=count_imported(session),
            votes=votes.votes,
            votes_today=votes.today,
            raters=votes.raters,
            judged=count_outcomes(session, *IN_FIGURES).judged,
            rejects=pool.rejects,
            keeps=pool.keeps,
            disputed=pool.disputed,
            prompts=session.exec(select(func.count(col(Prompt.id))).where(col(Prompt.is_active))).one(),
            run=latest_run(session),
            look_again=count_waiting(session),
            damaged=tuple(
                session.exec(select(Version.damage).where(Version.damage != "").order_by(col(Version.number)))
            ),
        )


def progress(engine: Engine, rater_id: int, now: datetime | None = None) -> Progress:
    """How many pictures a rater has answered, in all and today (UTC)."""
    with reading(engine) as session:
        return _progress(session, session.get(Rater, rater_id), now or utc_now())


def rating_state(engine: Engine, rater: str, now: datetime | None = None) -> RatingState:
    """What the rating page is told with every answer; no progress for a name that never voted."""
    with reading(engine) as session:
        row = find_rater(session, rater)
        newest = latest_run(session)
        return RatingState(_progress(session, row, now or utc_now()), newest)


def newest_blobs(engine: Engine, limit: int) -> list[str]:
    """Hashes of the newest pictures and their latents."""
    with reading(engine) as session:
        rows = session.exec(select(Image.sha256, Image.latent_sha256).order_by(col(Image.id).desc()).limit(limit))
        return [sha256 for row in rows for sha256 in row if sha256]


def same_seed_grid(engine: Engine, versions: Sequence[int] | None = None) -> list[GridPair]:
    """Every evaluation pair with the pictures drawn for it so far, those of the set in use first."""
    with reading(engine) as session:
        wanted = list(session.exec(select(Version.number))) if versions is None else list(versions)
        rows = session.exec(
            select(Image, Prompt.text, ImageTally)
            .join(Prompt, col(Prompt.id) == Image.prompt_id)
            .join(ImageTally, col(ImageTally.image_id) == Image.id, isouter=True)
            .where(col(Image.version).in_(wanted), Image.origin == Origin.evaluation)
            .order_by(col(Image.seed), col(Image.id))
        )
        in_use = {(pair.prompt_id, pair.seed): pair.ordinal for pair in active_pairs(session)}
        pairs: dict[tuple[int, int], GridPair] = {}
        for image, text, tally in rows:
            pair = pairs.setdefault((image.prompt_id, image.seed), GridPair(text, image.seed, {}, {}))
            pair.pictures[image.version] = image.sha256
            votes = (0, 0) if tally is None else (tally.rejects, tally.keeps)
            pair.outcomes[image.version] = outcome_of_counts(*votes).value
        order = sorted(pairs, key=lambda key: in_use.get(key, len(in_use)))
        return [pairs[key] for key in order]


def _tallies(session: Session) -> dict[int, VersionTally]:
    rows = session.exec(select(VersionTally).where(VersionTally.origin == Origin.sampled))
    return {row.version: row for row in rows}


def _votes_by_version(session: Session) -> dict[int, tuple[int, int]]:
    rows = session.exec(
        select(VoteCount.version, func.sum(VOTES), func.count(col(VoteCount.rater_id).distinct()))
        .where(VoteCount.origin == Origin.sampled, VOTES > 0)
        .group_by(col(VoteCount.version))
    )
    return {version: (n, raters) for version, n, raters in rows}


def _progress(session: Session, rater: Rater | None, now: datetime) -> Progress:
    if rater is None or rater.id is None:
        return Progress(0, 0)
    own = _own_current_votes if rater.is_excluded else _own_votes
    votes, today = own(session, rater.id, now)
    again, again_today = answered_repeats(session, rater.id, now)
    return Progress(votes + again, today + again_today)


def _own_votes(session: Session, rater_id: int, now: datetime) -> tuple[int, int]:
    """A rater's current verdicts, all and of today, from the counters: a row for each day and version."""
    today = func.coalesce(func.sum(case((col(VoteCount.day) >= now.date(), VOTES), else_=0)), 0)
    return session.exec(select(func.coalesce(func.sum(VOTES), 0), today).where(VoteCount.rater_id == rater_id)).one()


def _own_current_votes(session: Session, rater_id: int, now: datetime) -> tuple[int, int]:
    """The same of a rater whose votes are not counted, from every one of them; the page must not show that."""
    return session.exec(
        select(func.count(), func.coalesce(func.sum(case((col(CurrentVote.day) >= now.date(), 1), else_=0)), 0)).where(
            CurrentVote.rater_id == rater_id, is_vote()
        )
    ).one()


def _waiting(session: Session) -> int:
    untouched = ~select(Vote.id).where(Vote.image_id == Image.id).exists()
    waiting = select(func.count(col(Image.id))).where(col(Image.is_queued), untouched, is_sound())
    return session.exec(waiting).one()
