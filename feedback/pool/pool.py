"""The reject pool and the keeps beside it: what the current votes make of the sampled images."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Engine, Row, select
from sqlmodel import Session, col

from feedback.pool.counts import POOLED
from feedback.pool.dawid_skene import dawid_skene
from feedback.pool.share import SHARE, select_beyond_cap
from feedback.pool.split import split_of
from feedback.pool.tally import MANIFEST_MOST, count_new_among, new_rejects
from feedback.pool.verdicts import (
    KEEPS,
    REJECTS,
    RULED,
    Outcome,
    is_counted,
    is_judged,
    outcome_of_counts,
    select_taken_out,
)
from store.engine import reading
from store.phrases import plural
from store.tables import CurrentVote, Image, ImageTally, Prompt, Role, Split, Verdict

# A fit of a few hundred steps draws some thousands of them; the rest would be a manifest that nobody trains on.
MOST = MANIFEST_MOST
NEWEST_OF_THREE = 20_000
"""Images whose several votes are weighed by Dawid and Skene's model; older ones count by their majority."""


@dataclass(frozen=True)
class PoolItem:
    """A picture with a verdict, as a retrain uses it.

    `rejects` and `keeps` are the votes behind the verdict. `weight` says how sure the verdict is, above 0 to 1: the
    share of the votes that agree with it; with three raters or more the probability by Dawid and Skene's model; 1 for
    a curator's verdict. `factor`, above 0 to 1, multiplies the picture's part of the loss: below 1 for one that another
    base drew.
    """

    image_id: int
    sha256: str
    latent_sha256: str | None
    prompt: str
    seed: int
    width: int
    height: int
    role: Role
    split: Split
    rejects: int
    keeps: int
    weight: float = 1.0
    factor: float = 1.0


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
            return f"a retrain is due: {plural(self.new_rejects, 'new reject')}, {self.needed} needed"
        missing = self.needed - self.new_rejects
        return f"not due: {plural(self.new_rejects, 'new reject')}, {self.needed} needed; {missing} more to go"


def pool(session: Session, most: int = MOST, share: float = SHARE) -> list[PoolItem]:
    """The newest sampled and asked images with a verdict, in the order of the images.

    Left out: disputed images (a tie, or Dawid and Skene's model contradicts the majority of three votes or more), what
    a person took out of the pool, and rejects that rest on one rater's votes beyond `share`.
    """
    columns = (Image.id, Image.sha256, Image.latent_sha256, Prompt.text, Image.seed, Image.width, Image.height)
    beyond = select_beyond_cap(session, share)
    newest = session.execute(
        select(*(col(column) for column in columns), REJECTS, KEEPS, RULED)
        .join(ImageTally, col(ImageTally.image_id) == Image.id)
        .join(Prompt, col(Prompt.id) == Image.prompt_id)
        .where(col(Image.origin).in_(POOLED), is_judged(), col(Image.id).not_in(select_taken_out()))
        .where(*([] if beyond is None else [col(Image.id).not_in(beyond)]))
        .order_by(col(Image.id).desc())
        .limit(most)
    ).all()
    rows = newest[::-1]
    of_three = {row.id for row in rows[-NEWEST_OF_THREE:] if row.rejects + row.keeps >= 3 and row.ruled is None}
    believed = dawid_skene(_votes_on(session, of_three)).reject
    items = [_item(row, believed.get(row.id)) for row in rows]
    return [item for item in items if item.weight > 0.5]


def _item(row: Row[Any], believed: float | None) -> PoolItem:
    is_reject = outcome_of_counts(row.rejects, row.keeps, row.ruled) is Outcome.reject
    weight = 1.0 if row.ruled else max(row.rejects, row.keeps) / (row.rejects + row.keeps)
    if believed is not None:
        weight = believed if is_reject else 1 - believed
    return PoolItem(
        image_id=row.id,
        sha256=row.sha256,
        latent_sha256=row.latent_sha256,
        prompt=row.text,
        seed=row.seed,
        width=row.width,
        height=row.height,
        role=Role.reject if is_reject else Role.keep,
        split=split_of(row.text, row.seed),
        rejects=row.rejects,
        keeps=row.keeps,
        weight=round(weight, 6),
    )


def _votes_on(session: Session, images: set[int]) -> list[tuple[int, int, bool]]:
    """The current votes (image, rater, is it a reject) on these images."""
    if not images:
        return []
    rows = session.execute(
        select(col(CurrentVote.image_id), col(CurrentVote.rater_id), col(CurrentVote.verdict))
        .where(col(CurrentVote.image_id).between(min(images), max(images)), is_counted(CurrentVote.rater_id))
        .where(col(CurrentVote.verdict).in_([Verdict.reject, Verdict.keep]))
        .order_by(col(CurrentVote.vote_id))
    )
    return [(image, rater, verdict == Verdict.reject) for image, rater, verdict in rows if image in images]


def how_due(engine: Engine, needed: int, share: float = SHARE) -> Due:
    """How many rejects are new since the newest version, and how many make a retrain due.

    Rejects that rest on one rater's votes beyond `share` do not bring it closer.
    """
    with reading(engine) as session:
        beyond = select_beyond_cap(session, share)
        left_out = 0 if beyond is None else count_new_among(session, beyond)
        return Due(new_rejects(session) - left_out, needed)
