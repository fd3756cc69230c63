"""Where the loop stands, in numbers: every figure a page shows is computed here."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, case, func
from sqlmodel import Session, col, select

from feedback.raters import clean_name
from feedback.statistics import Interval, wilson
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
    Version,
    VersionTally,
    Vote,
    VoteCount,
    utc_now,
)

VOTES = col(VoteCount.rejects) + col(VoteCount.keeps)


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
    """The loop at this instant; `judged` pictures have votes, those of evaluation sets included, the pool's not."""

    waiting: int
    images: int
    votes: int
    votes_today: int
    raters: int
    rejects: int
    keeps: int
    disputed: int
    judged: int
    prompts: int
    run: Run | None


@dataclass(frozen=True)
class Progress:
    """What one rater has done: current votes, all and of today."""

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
        sampled, evaluated = (_outcomes(session, origin) for origin in (Origin.sampled, Origin.evaluation))
        rejects, keeps, disputed = sampled
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
            judged=sum(sampled) + sum(evaluated),
            prompts=session.exec(select(func.count(col(Prompt.id))).where(col(Prompt.is_active))).one(),
            run=session.exec(select(Run).order_by(col(Run.id).desc())).first(),
        )


def progress(engine: Engine, rater_id: int, now: datetime | None = None) -> Progress:
    """How many current votes a rater has, all and received today (UTC)."""
    with reading(engine) as session:
        votes, today, _ = _votes(session, now or utc_now(), rater_id)
        return Progress(votes, today)


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
    rows = session.exec(select(VersionTally).where(VersionTally.origin == Origin.sampled))
    return {row.version: (row.rejected, row.rejected + row.kept) for row in rows}


def _outcomes(session: Session, origin: Origin) -> tuple[int, int, int]:
    rejected, kept, disputed = (
        func.coalesce(func.sum(column), 0)
        for column in (col(VersionTally.rejected), col(VersionTally.kept), col(VersionTally.disputed))
    )
    return session.exec(select(rejected, kept, disputed).where(VersionTally.origin == origin)).one()


def _votes_by_version(session: Session) -> dict[int, tuple[int, int]]:
    rows = session.exec(
        select(VoteCount.version, func.sum(VOTES), func.count(col(VoteCount.rater_id).distinct()))
        .where(VoteCount.origin == Origin.sampled, VOTES > 0)
        .group_by(col(VoteCount.version))
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
    counted = select(
        func.coalesce(func.sum(VOTES), 0),
        func.coalesce(func.sum(case((col(VoteCount.day) >= now.date(), VOTES), else_=0)), 0),
        func.count(col(VoteCount.rater_id).distinct()),
    ).where(VOTES > 0)
    if rater_id is not None:
        counted = counted.where(VoteCount.rater_id == rater_id)
    return session.exec(counted).one()


def _waiting(session: Session) -> int:
    untouched = ~select(Vote.id).where(Vote.image_id == Image.id).exists()
    return session.exec(select(func.count(col(Image.id))).where(col(Image.is_queued), untouched)).one()
