"""Whether the plain rates of two versions may be compared: only of pictures drawn under the same settings."""

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from feedback.sample.conditions import differences, load_conditions
from feedback.succession import PLAIN
from store.engine import reading
from store.tables import Image, Origin


def unlike_rates(engine: Engine, champion: int) -> list[str]:
    """Why the plain rates of the base and the champion do not compare: their pictures were drawn differently."""
    if champion == PLAIN:
        return []
    with reading(engine) as session:
        known = load_conditions(session)
        base, live = ([known[one] for one in _ends(session, number)] for number in (PLAIN, champion))
    found = dict.fromkeys(word for one in base for other in live for word in differences(one, other))
    if not found:
        return []
    words = ", ".join(found)
    return [
        f"The sampled pictures of v0 and of v{champion} were not all drawn under the same settings ({words}), so their "
        "plain rates do not compare; from now on both are drawn alike"
    ]


def _ends(session: Session, version: int) -> list[int | None]:
    """The conditions of a version's first and newest sampled picture."""
    sampled = select(Image.conditions_id).where(Image.version == version, Image.origin == Origin.sampled)
    first, newest = (
        session.exec(sampled.order_by(end).limit(1)).all() for end in (col(Image.id), col(Image.id).desc())
    )
    return [*first, *newest]
