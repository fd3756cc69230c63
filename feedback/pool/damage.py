"""Pictures whose file was lost or altered: they are shown to nobody until the file is as it was stored."""

import errno
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Engine, delete
from sqlmodel import col, select

from store.engine import reading, writing
from store.errors import DamagedStore, NoBucket
from store.files import Blobs
from store.tables import Damage, Image

NAMED = 5
"""Pictures that a sentence names."""


class Damaged(NamedTuple):
    """A picture with a bad file."""

    image_id: int
    sha256: str


def is_sound() -> ColumnElement[bool]:
    """Condition: nobody found the image's file lost or altered."""
    return ~select(Damage.image_id).where(Damage.image_id == Image.id).exists()


def is_lasting(error: DamagedStore) -> bool:
    """True when the file itself is bad; false when it could not be read now, as with too many open files."""
    cause = error.__cause__
    return not isinstance(cause, OSError) or cause.errno in (errno.ENOENT, errno.EIO)


def set_aside(engine: Engine, sha256: str) -> None:
    """Remembers that a file is bad: its pictures leave every queue, and their reservations are given back."""
    images = select(Image.id).where(Image.sha256 == sha256)
    with reading(engine) as session:
        if not session.exec(images.where(is_sound())).first():
            return
    with writing(engine) as session:
        session.add_all(Damage(image_id=image) for image in session.exec(images.where(is_sound())) if image is not None)


def damaged_pictures(engine: Engine) -> list[Damaged]:
    """The pictures that were set aside, oldest first."""
    with reading(engine) as session:
        rows = (
            select(Damage.image_id, Image.sha256)
            .join(Image, col(Image.id) == Damage.image_id)
            .order_by(col(Damage.image_id))
        )
        return [Damaged(image_id, sha256) for image_id, sha256 in session.exec(rows)]


def damage_words(pictures: Sequence[Damaged]) -> str:
    """What is wrong, and what to do; empty without any damaged picture."""
    if not pictures:
        return ""
    named = ", ".join(str(picture.image_id) for picture in pictures[:NAMED]) + (", …" if pictures[NAMED:] else "")
    count = "the file of 1 picture is" if len(pictures) == 1 else f"the files of {len(pictures)} pictures are"
    return (
        f"{count} lost or altered (number {named}), so nobody is shown them; "
        "restore them from a backup, then start the pages again"
    )


def still_bad(engine: Engine, blobs: Blobs) -> list[Damaged]:
    """The pictures that were set aside and whose file is bad now."""
    return [picture for picture in damaged_pictures(engine) if not _is_whole(blobs, picture.sha256)]


def look_again(engine: Engine, blobs: Blobs) -> None:
    """Shows pictures again whose file is as it was stored; for the start of the pages."""
    bad = {picture.image_id for picture in still_bad(engine, blobs)}
    if mended := {picture.image_id for picture in damaged_pictures(engine)} - bad:
        with writing(engine) as session:
            session.exec(delete(Damage).where(col(Damage.image_id).in_(mended)))


def _is_whole(blobs: Blobs, sha256: str) -> bool:
    try:
        blobs.get(sha256)
    except (DamagedStore, NoBucket, OSError):
        return False
    return True
