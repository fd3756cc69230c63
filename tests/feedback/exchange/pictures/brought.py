"""Folders of pictures of other programs, and their import."""

from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import col, select

from feedback.exchange.pictures.bases import drawn_size
from feedback.exchange.pictures.importing import Import, import_pictures, look_at
from feedback.exchange.pictures.mapping import Mapped
from feedback.exchange.pictures.outcome import Report, Seen, Terms
from feedback.exchange.pictures.sources import open_source
from store.engine import reading
from store.layout import layout_of
from store.settings import Settings
from store.tables import Image, ImportedPicture, Origin
from tests.feedback.metadata import made

OURS = "Steps: 20, Sampler: Euler, CFG scale: 3, Size: 64x64, Model: builtin"
OTHER = OURS.replace("builtin", "fox, Model hash: 45a21ea00a")


def png(prompt: str, seed: int = 42, settings: str = OURS, **options: object) -> bytes:
    """A picture of the store's own base; its pixels are others at each call."""
    return made.png(
        made.international("parameters", f"{prompt}\nNegative prompt: x\n{settings}, Seed: {seed}"), **options
    )


def folder_of(path: Path, **files: bytes) -> Path:
    """A folder with these files; `__` in a name is a point, `___` a slash."""
    for name, data in files.items():
        file = path / name.replace("___", "/").replace("__", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return path


def bring(
    settings: Settings,
    engine: Engine,
    path: Path,
    *,
    mapped: Mapped | None = None,
    other_bases: float = 0.0,
    processes: int = 1,
) -> tuple[Report, list[str]]:
    """Imports a folder; the report, and what was said of refused files."""
    said: list[str] = []
    terms = Terms(drawn_size(engine), other_bases)
    order = Import(engine, open_source(path), terms, mapped or Mapped(), processes=processes)
    report = import_pictures(order, layout_of(settings).blobs, said.append)
    return report, said


def seen(engine: Engine, path: Path, mapped: Mapped | None = None) -> dict[str, str]:
    """What a dry run says of each file: its status, and why."""
    return {one.entry.name: f"{one.found.status}: {one.found.why}" for one in look(engine, path, mapped)[0]}


def look(engine: Engine, path: Path, mapped: Mapped | None = None) -> tuple[list[Seen], Report]:
    """A dry run: what is seen of each file, and the totals."""
    report = Report()
    terms = Terms(drawn_size(engine))
    order = Import(engine, open_source(path), terms, mapped or Mapped())
    found = look_at(order, report, lambda done, total: None)
    return list(found), report


def imported(engine: Engine) -> list[Image]:
    with reading(engine) as session:
        return list(session.exec(select(Image).where(Image.origin == Origin.imported).order_by(col(Image.id))))


def facts(engine: Engine) -> list[ImportedPicture]:
    with reading(engine) as session:
        return list(session.exec(select(ImportedPicture).order_by(col(ImportedPicture.image_id))))
