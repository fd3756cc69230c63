"""The reject pool and the keeps beside it: what the current votes make of the sampled images."""

from typing import NamedTuple

from sqlalchemy import Engine, select
from sqlmodel import Session, col

from feedback.pool.consensus import dawid_skene
from feedback.pool.tally import MANIFEST_MOST, new_rejects
from feedback.pool.verdicts import Outcome, barred, is_counted, outcome_of_counts
from store.engine import reading
from store.tables import Image, ImageTally, Origin, Role, Verdict, Word

# A fit of a few hundred steps draws some thousands of them; the rest would be a manifest that nobody trains on.
MOST = MANIFEST_MOST
NEWEST_OF_THREE = 20_000
"""Images whose several votes are weighed by Dawid and Skene's model; older ones count by their majority."""


class PooledImage(NamedTuple):
    """What a retrain needs to know of an image."""

    id: int
    sha256: str
    latent_sha256: str | None
    prompt_id: int
    seed: int
    width: int
    height: int
    version: int


class Pooled(NamedTuple):
    """An image with a verdict, and the votes it comes from.

    `weight`: how sure the verdict is, above 0 to 1: the share of the votes that agree with it; with three raters or
    more the chance that Dawid and Skene's model gives it.
    """

    image: PooledImage
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


def pool(session: Session, most: int = MOST) -> list[Pooled]:
    """The newest sampled images with a verdict, in the order of the images.

    Left out: disputed images (a tie, or Dawid and Skene's model contradicts the majority of three votes or more), and
    what a person took out of the pool.
    """
    rejects, keeps = col(ImageTally.rejects), col(ImageTally.keeps)
    rows = session.execute(
        select(*(col(getattr(Image, name)) for name in PooledImage._fields), rejects, keeps)
        .join(ImageTally, col(ImageTally.image_id) == Image.id)
        .where(col(Image.origin) == Origin.sampled, rejects != keeps, col(Image.id).not_in(barred()))
        .order_by(col(Image.id).desc())
        .limit(most)
    ).all()
    images = [(PooledImage(*image), rejects, keeps) for *image, rejects, keeps in reversed(rows)]
    believed = dawid_skene(_votes_of_three(session, images[-NEWEST_OF_THREE:])).reject
    pooled = [_pooled(image, rejects, keeps, believed.get(image.id)) for image, rejects, keeps in images]
    return [item for item in pooled if item.weight > 0.5]


def _pooled(image: PooledImage, rejects: int, keeps: int, believed: float | None) -> Pooled:
    role = Role.reject if outcome_of_counts(rejects, keeps) is Outcome.reject else Role.keep
    weight = max(rejects, keeps) / (rejects + keeps)
    if believed is not None:
        weight = believed if role is Role.reject else 1 - believed
    return Pooled(image, role, rejects, keeps, round(weight, 6))


def _votes_of_three(session: Session, images: list[tuple[PooledImage, int, int]]) -> list[tuple[int, int, bool]]:
    """The current votes (image, rater, is it a reject) on those of the images that three raters or more judged."""
    of_three = {image.id for image, rejects, keeps in images if rejects + keeps >= 3}
    if not of_three:
        return []
    rows = session.execute(
        select(col(Word.image_id), col(Word.rater_id), col(Word.verdict))
        .where(col(Word.image_id).between(min(of_three), max(of_three)), is_counted(Word.rater_id))
        .where(col(Word.verdict).in_([Verdict.reject, Verdict.keep]))
        .order_by(col(Word.vote_id))
    )
    return [(image, rater, verdict == Verdict.reject) for image, rater, verdict in rows if image in of_three]


def how_due(engine: Engine, needed: int) -> Due:
    """How many rejects are new since the newest version, and how many make a retrain due."""
    with reading(engine) as session:
        return Due(new_rejects(session), needed)
