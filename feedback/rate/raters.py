"""The people who vote."""

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from store.engine import reading
from store.errors import BadRequest
from store.tables import Rater

MAX_NAME = 80


def rater_id(session: Session, name: str) -> int:
    """The id of the rater of that name, made when new; for use inside a `writing` block.

    Raises BadRequest for an empty, over-long or unprintable name.
    """
    rater = rater_of(session, name)
    assert rater.id is not None
    return rater.id


def rater_of(session: Session, name: str) -> Rater:
    """The rater of that name, made when new; for use inside a `writing` block. Raises BadRequest as `rater_id`."""
    name = clean_name(name)
    rater = session.exec(select(Rater).where(Rater.name == name)).first()
    if rater is None:
        rater = Rater(name=name)
        session.add(rater)
        session.flush()
    return rater


def clean_name(name: str) -> str:
    """The name with single spaces. Raises BadRequest when it cannot be one."""
    name = " ".join(name.split())
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise BadRequest(f"a rater's name has 1 to {MAX_NAME} printable characters; {name[:40]!r} was given")
    return name


def rater_names(engine: Engine) -> list[str]:
    """The names of all raters, in alphabetical order."""
    with reading(engine) as session:
        return list(session.exec(select(Rater.name).order_by(col(Rater.name))))
