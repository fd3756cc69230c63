"""The guidelines that raters follow. Every version is kept, so that a vote can name the one its rater was shown."""

from sqlalchemy import Engine
from sqlmodel import col, select

from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import Guidelines
from store.texts import find_control

MAX_CHARACTERS = 20_000
IN_TEXT = "\n\t"
"""Control characters that a text of several lines holds."""


def current_guidelines(engine: Engine) -> Guidelines | None:
    """The newest version; None where nothing was written, or the newest text is empty."""
    with reading(engine) as session:
        newest = session.exec(select(Guidelines).order_by(col(Guidelines.id).desc()).limit(1)).first()
    return newest if newest is not None and newest.text else None


def list_guidelines(engine: Engine) -> list[Guidelines]:
    """Every version, newest first."""
    with reading(engine) as session:
        return list(session.exec(select(Guidelines).order_by(col(Guidelines.id).desc())))


def write_guidelines(engine: Engine, text: str, by: str) -> int:
    """The number of the new version. An empty text takes the guidelines away.

    Raises BadRequest for a text that is too long, holds a control character, or is the newest version's.
    """
    cleaned = text.replace("\r\n", "\n").strip()
    if len(cleaned) > MAX_CHARACTERS:
        raise BadRequest(
            f"guidelines have at most {MAX_CHARACTERS:,} characters and these have {len(cleaned):,}; shorten them"
        )
    if control := find_control(cleaned.translate(dict.fromkeys(map(ord, IN_TEXT), " "))):
        raise BadRequest(f"guidelines are plain text and these hold {control}; remove it")
    with writing(engine) as session:
        newest = session.exec(select(Guidelines).order_by(col(Guidelines.id).desc()).limit(1)).first()
        if cleaned == (newest.text if newest else ""):
            raise BadRequest("the guidelines already say this; nothing was saved")
        row = Guidelines(text=cleaned, by=by)
        session.add(row)
        session.flush()
        assert row.id is not None
        return row.id
