"""The reject pool and the keeps beside it: what the current votes make of the sampled images."""

from typing import NamedTuple

from sqlalchemy import Engine, Select, func
from sqlmodel import Session, col, select

from feedback.consensus import dawid_skene
from feedback.verdicts import Outcome, counts_by_image, current_votes, outcome_of_counts
from store.engine import reading
from store.tables import Image, ManifestItem, Origin, PoolAction, PoolEvent, Role, Verdict, Version


class Pooled(NamedTuple):
    """An image with a verdict, and the votes it comes from.

    `weight`: how sure the verdict is, above 0 to 1: the share of the votes that agree with it; with three raters or
    more the chance that Dawid and Skene's model gives it.
    """

    image: Image
    role: Role
    rejects: int
    keeps: int
    weight: float = 1.0


class Due(NamedTuple):
    """How far the next retrain is: rejects in the pool that the newest version was not trained on."""

    new_rejects: int
    needed: int

    @property
    def is_due(self) -> bool:
        return self.new_rejects >= self.needed

    @property
    def sentence(self) -> str:
        if self.is_due:
            return f"a retrain is due: {self.new_rejects} new rejects, {self.needed} needed"
        missing = self.needed - self.new_rejects
        return f"not due: {self.new_rejects} new rejects, {self.needed} needed; {missing} more to go"


def pool(session: Session) -> list[Pooled]:
    """Every sampled image with a verdict, in the order of the images.

    Left out: disputed images (a tie, or Dawid and Skene's model contradicts the majority of three votes or more), and
    what a person took out of the pool.
    """
    counts = counts_by_image().subquery()
    rows = session.exec(
        select(Image, counts.c.rejects, counts.c.keeps)
        .join(counts, counts.c.image_id == Image.id)
        .where(Image.origin == Origin.sampled, counts.c.rejects != counts.c.keeps)
        .where(col(Image.id).not_in(barred()))
        .order_by(col(Image.id))
    )
    believed = dawid_skene(_votes_of_three(session)).reject
    pooled = (_pooled(image, rejects, keeps, believed.get(image.id or 0)) for image, rejects, keeps in rows)
    return [item for item in pooled if item.weight > 0.5]


def _pooled(image: Image, rejects: int, keeps: int, believed: float | None) -> Pooled:
    role = Role.reject if outcome_of_counts(rejects, keeps) is Outcome.reject else Role.keep
    weight = max(rejects, keeps) / (rejects + keeps)
    if believed is not None:
        weight = believed if role is Role.reject else 1 - believed
    return Pooled(image, role, rejects, keeps, round(weight, 6))


def _votes_of_three(session: Session) -> list[tuple[int, int, bool]]:
    """The current votes (image, rater, is it a reject) on images that three raters or more have judged."""
    counts, votes = counts_by_image().subquery(), current_votes().subquery()
    rows = session.exec(
        select(votes.c.image_id, votes.c.rater_id, votes.c.verdict)
        .join(counts, counts.c.image_id == votes.c.image_id)
        .where(counts.c.rejects + counts.c.keeps >= 3, votes.c.verdict.in_([Verdict.reject, Verdict.keep]))
        .order_by(votes.c.id)
    )
    return [(image, rater, verdict == Verdict.reject) for image, rater, verdict in rows]


def barred() -> Select:
    """Query: the images that a person took out of the pool and nobody put back since."""
    newest = select(func.max(col(PoolEvent.id))).group_by(col(PoolEvent.image_id))
    return select(PoolEvent.image_id).where(col(PoolEvent.id).in_(newest), col(PoolEvent.action) == PoolAction.exclude)


def how_due(engine: Engine, needed: int) -> Due:
    """How many rejects are new since the newest version, and how many make a retrain due."""
    counts = counts_by_image().subquery()
    trained = (
        select(ManifestItem.image_id)
        .join(Version, col(Version.manifest_id) == ManifestItem.manifest_id)
        .where(Version.number == select(func.max(Version.number)).scalar_subquery())
    )
    new = (
        select(func.count(col(Image.id)))
        .join(counts, counts.c.image_id == Image.id)
        .where(Image.origin == Origin.sampled, counts.c.rejects > counts.c.keeps, col(Image.id).not_in(trained))
        .where(col(Image.id).not_in(barred()))
    )
    with reading(engine) as session:
        return Due(session.exec(new).one(), needed)
