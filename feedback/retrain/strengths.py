"""How raters judged the strengths of earlier versions."""

from sqlalchemy import Engine, case, func
from sqlmodel import select

from feedback.pool.verdicts import counts_by_image
from store.engine import reading
from store.tables import Image, Origin


def judged_strengths(engine: Engine, rule: str) -> dict[float, tuple[int, int]]:
    """For each strength that evaluation pictures were drawn at under this rule: (rejects, judged)."""
    counts = counts_by_image().subquery()
    rows = (
        select(Image.strength, func.sum(case((counts.c.rejects > counts.c.keeps, 1), else_=0)), func.count())
        .join(counts, counts.c.image_id == Image.id)
        .where(Image.origin == Origin.evaluation, Image.rule == rule, counts.c.rejects != counts.c.keeps)
        .group_by(Image.strength)  # type: ignore[arg-type]
    )
    with reading(engine) as session:
        return {strength: (rejects, judged) for strength, rejects, judged in session.exec(rows)}
