"""The reject pool and the keeps beside it: what the current votes make of the sampled images."""

from typing import NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from feedback.tally import new_rejects
from feedback.verdicts import Outcome, outcome_of_counts
from store.engine import reading
from store.tables import Image, ImageTally, Origin, Role


class Pooled(NamedTuple):
    """An image with a verdict, and the votes it comes from."""

    image: Image
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


def pool(session: Session) -> list[Pooled]:
    """Every sampled image with a verdict, in the order of the images; disputed ones are left out."""
    rejects, keeps = col(ImageTally.rejects), col(ImageTally.keeps)
    rows = session.exec(
        select(Image, rejects, keeps)
        .join(ImageTally, col(ImageTally.image_id) == Image.id)
        .where(Image.origin == Origin.sampled, rejects != keeps)
        .order_by(col(Image.id))
    )
    return [
        Pooled(
            image,
            Role.reject if outcome_of_counts(rejects, keeps) is Outcome.reject else Role.keep,
            rejects,
            keeps,
        )
        for image, rejects, keeps in rows
    ]


def how_due(engine: Engine, needed: int) -> Due:
    """How many rejects are new since the newest version, and how many make a retrain due."""
    with reading(engine) as session:
        return Due(new_rejects(session), needed)
