"""The people who vote."""

from sqlalchemy import ColumnElement, Engine
from sqlmodel import Session, col, select

from store.engine import reading
from store.errors import BadRequest
from store.tables import Rater
from store.texts import find_control, name_key, with_single_spaces

MAX_NAME = 80


def rater_id(session: Session, name: str) -> int:
    """The id of the rater of that name, made when new; for use inside a `writing` block.

    Raises BadRequest for an empty, over-long or invisible name.
    """
    rater = rater_of(session, name)
    assert rater.id is not None
    return rater.id


def rater_of(session: Session, name: str) -> Rater:
    """The rater of that name, made when new; for use inside a `writing` block. Raises BadRequest as `rater_id`."""
    rater = find_rater(session, name)
    if rater is None:
        rater = Rater(name=clean_name(name))
        session.add(rater)
        session.flush()
    return rater


def find_rater(session: Session, name: str) -> Rater | None:
    """The rater of that name, however it is written. Raises BadRequest as `rater_id`."""
    return session.exec(select(Rater).where(is_named(name))).first()


def is_named(name: str) -> ColumnElement[bool]:
    """Condition: the rater has that name, whatever its case, width or accents' form. Raises BadRequest."""
    return col(Rater.name_key) == name_key(clean_name(name))


def clean_name(name: str) -> str:
    """The name with single spaces. Raises BadRequest when it cannot be one."""
    cleaned = with_single_spaces(name)
    if not name_key(cleaned) or len(cleaned) > MAX_NAME:
        raise BadRequest(f"a rater's name has 1 to {MAX_NAME} visible characters; {name[:40]!r} was given")
    if control := find_control(cleaned):
        raise BadRequest(f"a rater's name holds no control character; {name[:40]!r} holds {control}")
    return cleaned


def rater_names(engine: Engine) -> list[str]:
    """The names of all raters, in alphabetical order."""
    with reading(engine) as session:
        return list(session.exec(select(Rater.name).order_by(col(Rater.name))))
