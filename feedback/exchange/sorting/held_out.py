"""What a score means on pictures that raters judged and that the LoRA which scored them was not trained on."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from feedback.pool.counts import POOLED
from feedback.pool.verdicts import is_judged, is_rejected, select_taken_out
from feedback.statistics import Fraction
from store.engine import reading
from store.phrases import plural
from store.tables import Image, ImageTally, Origin, PictureScore, Prompt


@dataclass(frozen=True)
class HeldOut:
    """The scores of one version's check on held-out pictures, in order, by what raters said; higher is worse."""

    kept: Sequence[float]
    rejected: Sequence[float]

    @classmethod
    def of(cls, session: Session, version: int) -> Self:
        """Those of the pool, without pictures that a person took out of it."""
        rows = session.execute(
            select(PictureScore.score, is_rejected().label("is_rejected"))
            .join(Image, col(Image.id) == PictureScore.image_id)
            .join(ImageTally, col(ImageTally.image_id) == PictureScore.image_id)
            .where(PictureScore.version == version, col(PictureScore.is_out_of_sample))
            .where(col(Image.origin).in_(POOLED), is_judged())
            .where(col(Image.id).not_in(select_taken_out()))
        ).all()
        kept, rejected = (sorted(row.score for row in rows if bool(row.is_rejected) is flag) for flag in (False, True))
        return cls(kept, rejected)

    def worse(self, score: float) -> tuple[Fraction, Fraction]:
        """Of the kept pictures, and of the rejected ones, those with a higher score.

        >>> HeldOut([0.1, 0.2], [0.2, 0.3]).worse(0.2)
        (Fraction(part=0, whole=2), Fraction(part=1, whole=2))
        """
        kept, rejected = (
            Fraction(len(scores) - bisect_right(scores, score), len(scores)) for scores in (self.kept, self.rejected)
        )
        return kept, rejected

    def words(self, cut: float) -> str:
        """What a cut means on them, in a sentence.

        >>> HeldOut([0.1] * 30 + [0.9] * 10, [0.1] * 20 + [0.9] * 30).words(0.5)
        'on 90 held-out pictures: of what it flags, raters rejected 75 % (60–86); it flags 60 % (46–72) of what they \
reject'
        >>> HeldOut([0.1], [0.2]).words(0.5)
        'on 2 held-out pictures it flags none; raters rejected 1 of them'
        """
        n = len(self.kept) + len(self.rejected)
        if not n:
            return "no held-out picture has a verdict, so what raters would say of the flagged ones is not known"
        kept, rejected = self.worse(cut)
        flagged = kept.part + rejected.part
        if not flagged:
            return f"on {plural(n, 'held-out picture')} it flags none; raters rejected {rejected.whole:,} of them"
        return (
            f"on {plural(n, 'held-out picture')}: of what it flags, raters rejected "
            f"{_share(Fraction(rejected.part, flagged))}; it flags {_share(rejected)} of what they reject"
        )


def drawn_pictures(engine: Engine, limit: int) -> list[tuple[Image, str]]:
    """The oldest pictures that the store drew and whose latents it has, all of one size, with their prompts."""
    with reading(engine) as session:
        rows = session.exec(
            select(Image, Prompt.text)
            .join(Prompt, col(Prompt.id) == Image.prompt_id)
            .where(Image.origin == Origin.sampled, col(Image.latent_sha256).is_not(None))
            .order_by(col(Image.id))
            .limit(limit)
        ).all()
    return [
        (image, text) for image, text in rows if (image.width, image.height) == (rows[0][0].width, rows[0][0].height)
    ]


def _share(found: Fraction) -> str:
    low, high = found.interval
    return "none" if found.value is None else f"{100 * found.value:.0f} % ({100 * low:.0f}–{100 * high:.0f})"
