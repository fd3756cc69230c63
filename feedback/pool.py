"""The reject pool and the keeps beside it: what the current votes make of the sampled images."""

from typing import NamedTuple

from sqlalchemy import Engine, select
from sqlmodel import Session, col

from feedback.tally import MANIFEST_MOST, new_rejects
from feedback.verdicts import Outcome, outcome_of_counts
from store.engine import reading
from store.tables import Image, ImageTally, Origin, Role

# A fit of a few hundred steps draws some thousands of them; the rest would be a manifest that nobody trains on.
MOST = MANIFEST_MOST


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
    """An image with a verdict, and the votes it comes from."""

    image: PooledImage
    role: Role
    rejects: int
    keeps: int


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
    """The newest sampled images with a verdict, in the order of the images; disputed ones are left out."""
    rejects, keeps = col(ImageTally.rejects), col(ImageTally.keeps)
    rows = session.execute(
        select(*(col(getattr(Image, name)) for name in PooledImage._fields), rejects, keeps)
        .join(ImageTally, col(ImageTally.image_id) == Image.id)
        .where(col(Image.origin) == Origin.sampled, rejects != keeps)
        .order_by(col(Image.id).desc())
        .limit(most)
    ).all()
    return [
        Pooled(
            PooledImage(*image),
            Role.reject if outcome_of_counts(rejects, keeps) is Outcome.reject else Role.keep,
            rejects,
            keeps,
        )
        for *image, rejects, keeps in reversed(rows)
    ]


def how_due(engine: Engine, needed: int) -> Due:
    """How many rejects are new since the newest version, and how many make a retrain due."""
    with reading(engine) as session:
        return Due(new_rejects(session), needed)
