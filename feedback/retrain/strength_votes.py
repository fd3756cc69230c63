"""The strengths of earlier versions, and how raters judged them."""

from sqlalchemy import Engine, case, func
from sqlmodel import col, select

from store.engine import reading
from store.tables import Image, ImageTally, Origin, Version


def judged_strengths(engine: Engine, rule: str) -> dict[float, tuple[int, int]]:
    """(rejects, judged) of the evaluation pictures under this rule, by their strength. Ties count as not judged."""
    rejects, keeps = col(ImageTally.rejects), col(ImageTally.keeps)
    rows = (
        select(Image.strength, func.sum(case((rejects > keeps, 1), else_=0)), func.count())
        .join(ImageTally, col(ImageTally.image_id) == Image.id)
        .where(Image.origin == Origin.evaluation, Image.rule == rule, rejects != keeps)
        .group_by(col(Image.strength))
    )
    with reading(engine) as session:
        return {strength: (rejects, judged) for strength, rejects, judged in session.exec(rows)}


def last_strength(engine: Engine, rule: str) -> float | None:
    """The strength of the newest version that was trained under this rule; None without one."""
    trained = select(Version.strength).where(Version.rule == rule, col(Version.run_id).is_not(None))
    with reading(engine) as session:
        return session.exec(trained.order_by(col(Version.number).desc()).limit(1)).first()
