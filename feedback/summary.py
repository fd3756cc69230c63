"""Where the loop stands, in numbers: every figure a page shows is computed here."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, case, func
from sqlmodel import Session, col, select

from feedback.raters import clean_name
from feedback.repeats import answered_repeats
from feedback.statistics import Interval, wilson
from feedback.verdicts import counts_by_image, current_votes
from store.engine import reading
from store.tables import (
    Alias,
    Image,
    ManifestItem,
    Origin,
    Prompt,
    Rater,
    Role,
    Run,
    Verdict,
    Version,
    Vote,
    utc_now,
)


@dataclass(frozen=True)
class VersionRow:
    """One version in the table: `judged` images have a verdict, `rejected` of them are rejects."""

    number: int
    aliases: tuple[str, ...]
    rejected: int
    judged: int
    votes: int
    raters: int
    trained_on: int
    created_at: datetime

    @property
    def rate(self) -> float | None:
        """Thumbs-down rate: share of judged images that are rejects; None before the first."""
        return self.rejected / self.judged if self.judged else None

    @property
    def interval(self) -> Interval:
        """95 % Wilson interval of the rate."""
        return wilson(self.rejected, self.judged)


@dataclass(frozen=True)
class Standing:
    """The loop at this instant."""

    waiting: int
    images: int
    votes: int
    votes_today: int
    raters: int
    rejects: int
    keeps: int
    disputed: int
    prompts: int
    run: Run | None


@dataclass(frozen=True)
class Progress:
    """What one rater has done: current votes, all and of today; controls and repeats count as what they look like."""

    votes: int
    today: int


@dataclass(frozen=True)
class GridPair:
    """One prompt and seed of the same-seed grid, with the picture of each version (SHA-256)."""

    prompt: str
    seed: int
    pictures: dict[int, str]


def version_rows(engine: Engine) -> list[VersionRow]:
    """All versions, newest first."""
    with reading(engine) as session:
        aliases: dict[int, list[str]] = {}
        for alias in session.exec(select(Alias)):
            aliases.setdefault(alias.version, []).append(alias.name.value)
        images, votes = _images_by_version(session), _votes_by_version(session)
        trained = _rejects_by_manifest(session)
        return [
            VersionRow(
                version.number,
                tuple(sorted(aliases.get(version.number, []))),
                *images.get(version.number, (0, 0)),
                *votes.get(version.number, (0, 0)),
                trained_on=trained.get(version.manifest_id, 0),
                created_at=version.created_at,
            )
            for version in session.exec(select(Version).order_by(col(Version.number).desc()))
        ]


def standing(engine: Engine, now: datetime | None = None) -> Standing:
    """The counts of the overview page; `now` (UTC) says when today began."""
    now = now or utc_now()
    with reading(engine) as session:
        counts = counts_by_image().subquery()
        rejects, keeps, disputed = session.exec(
            select(
                func.coalesce(func.sum(case((counts.c.rejects > counts.c.keeps, 1), else_=0)), 0),
                func.coalesce(func.sum(case((counts.c.rejects < counts.c.keeps, 1), else_=0)), 0),
                func.coalesce(
                    func.sum(case(((counts.c.rejects == counts.c.keeps) & (counts.c.keeps > 0), 1), else_=0)), 0
                ),
            )
        ).one()
        votes, today, raters = _votes(session, now)
        return Standing(
            waiting=_waiting(session),
            images=session.exec(select(func.count(col(Image.id))).where(Image.origin == Origin.sampled)).one(),
            votes=votes,
            votes_today=today,
            raters=raters,
            rejects=rejects,
            keeps=keeps,
            disputed=disputed,
            prompts=session.exec(select(func.count(col(Prompt.id))).where(col(Prompt.is_active))).one(),
            run=session.exec(select(Run).order_by(col(Run.id).desc())).first(),
        )


def progress(engine: Engine, rater_id: int, now: datetime | None = None) -> Progress:
    """How many current votes a rater has, all and received today (UTC)."""
    with reading(engine) as session:
        now = now or utc_now()
        votes, today, _ = _votes(session, now, rater_id)
        again, again_today = answered_repeats(session, rater_id, now)
        return Progress(votes + again, today + again_today)


def progress_of(engine: Engine, rater: str, now: datetime | None = None) -> Progress:
    """What the rater of that name has done; nothing for a name that never voted."""
    with reading(engine) as session:
        me = session.exec(select(Rater.id).where(Rater.name == clean_name(rater))).first()
    return progress(engine, me or 0, now)


def latest_run(engine: Engine) -> Run | None:
    """The newest attempt at a retrain, running or ended."""
    with reading(engine) as session:
        return session.exec(select(Run).order_by(col(Run.id).desc())).first()


def same_seed_grid(engine: Engine) -> list[GridPair]:
    """Every evaluation pair with the pictures drawn for it so far."""
    with reading(engine) as session:
        rows = session.exec(
            select(Image, Prompt.text)
            .join(Prompt, col(Prompt.id) == Image.prompt_id)
            .where(Image.origin == Origin.evaluation)
            .order_by(col(Image.seed), col(Image.id))
        )
        pairs: dict[tuple[str, int], GridPair] = {}
        for image, text in rows:
            pair = pairs.setdefault((text, image.seed), GridPair(text, image.seed, {}))
            pair.pictures[image.version] = image.sha256
        return list(pairs.values())


def _images_by_version(session: Session) -> dict[int, tuple[int, int]]:
    counts = counts_by_image().subquery()
    rows = session.exec(
        select(
            Image.version,
            func.sum(case((counts.c.rejects > counts.c.keeps, 1), else_=0)),
            func.sum(case((counts.c.rejects != counts.c.keeps, 1), else_=0)),
        )
        .join(counts, counts.c.image_id == Image.id)
        .where(Image.origin == Origin.sampled)
        .group_by(col(Image.version))
    )
    return {version: (rejected, judged) for version, rejected, judged in rows}


def _votes_by_version(session: Session) -> dict[int, tuple[int, int]]:
    votes = current_votes().subquery()
    rows = session.exec(
        select(Image.version, func.count(votes.c.id), func.count(votes.c.rater_id.distinct()))
        .join(votes, votes.c.image_id == Image.id)
        .where(Image.origin == Origin.sampled, votes.c.verdict.in_([Verdict.reject, Verdict.keep]))
        .group_by(col(Image.version))
    )
    return {version: (n, raters) for version, n, raters in rows}


def _rejects_by_manifest(session: Session) -> dict[str | None, int]:
    rows = session.exec(
        select(ManifestItem.manifest_id, func.count())
        .where(ManifestItem.role == Role.reject)
        .group_by(col(ManifestItem.manifest_id))
    )
    return dict(rows.all())


def _votes(session: Session, now: datetime, rater_id: int | None = None) -> tuple[int, int, int]:
    votes = current_votes(rater_id).subquery()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return session.exec(
        select(
            func.count(votes.c.id),
            func.coalesce(func.sum(case((col(Vote.received_at) >= midnight, 1), else_=0)), 0),
            func.count(votes.c.rater_id.distinct()),
        )
        .join(Vote, col(Vote.id) == votes.c.id)
        .where(votes.c.verdict.in_([Verdict.reject, Verdict.keep]))
    ).one()


def _waiting(session: Session) -> int:
    untouched = ~select(Vote.id).where(Vote.image_id == Image.id).exists()
    return session.exec(select(func.count(col(Image.id))).where(col(Image.is_queued), untouched)).one()
