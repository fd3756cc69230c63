"""One id for a store: a row of the database, a file in the folder of pictures and in that of versions, and an object
in its bucket.

A program that was pointed at the wrong database or the wrong folder so finds out before it writes.
"""

import re
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine
from sqlmodel import select

from store.blobs.faults import MARK
from store.damage import RESTORE
from store.engine import is_sqlite, reading, sqlite_file, writing
from store.errors import DamagedStore, OtherStore
from store.files import make_folder, write_file
from store.layout import Layout
from store.safety.bucket_mark import claim_bucket, is_marked, some_pictures
from store.tables import StoreRow, Version

CONTENT = {"blobs": re.compile(r"[0-9a-f]{2}"), "versions": re.compile(r"[0-9a-f]{64}")}
"""How the names look that a store gives inside its folders; any other is somebody else's and does not count."""
LOOKED_AT = 200


def refuse_lost_database(url: str, layout: Layout, found: str = "missing or empty") -> None:
    """Raises DamagedStore when the folders hold pictures or versions, for a store whose database holds nothing."""
    full: list[object] = [folder for folder in _folders(layout) if _content(folder)]
    if is_marked(layout):
        full.append(layout.bucket_url)
    if not full:
        return
    begin = "; a new store needs another bucket, or another folder in it" if full[0] == layout.bucket_url else ""
    raise DamagedStore(
        f"the database {url} is {found}, but {full[0]} holds the files of a store; nothing was changed; "
        f"put the database back, or {RESTORE}{begin}"
    )


def is_lost(file: Path) -> bool:
    """Whether a SQLite file is missing or without a byte."""
    return not file.exists() or file.stat().st_size == 0


def claim_folders(engine: Engine, layout: Layout) -> None:
    """Marks the folders of pictures and versions, or the bucket, with the store's id.

    Raises OtherStore when one has another's, NoBucket when the bucket cannot be used.
    """
    store_id = refuse_strangers(engine, layout) or _make_id(engine)
    claim_bucket(engine, layout, store_id)
    for folder in _folders(layout):
        if _read_mark(folder) != store_id:
            make_folder(folder)
            write_file(folder / MARK, f"{store_id}\n".encode())


def refuse_strangers(engine: Engine, layout: Layout) -> str | None:
    """The store's id, if it has one yet. Raises OtherStore when a folder with files belongs to another store."""
    with reading(engine) as session:
        store_id = session.exec(select(StoreRow.id)).first()
    for folder in filter(_content, _folders(layout)):
        marked = _read_mark(folder)
        if marked != store_id and (marked or not _is_its_own(engine, layout, folder)):
            raise OtherStore(folder, engine.url.render_as_string())
    return store_id


def list_unknown(engine: Engine, layout: Layout) -> list[Path]:
    """What the folder of versions holds without a row: from a lost database, or from something unknown."""
    with reading(engine) as session:
        known = {MARK, *session.exec(select(Version.sha256))}
    found = sorted(layout.versions.iterdir()) if layout.versions.is_dir() else []
    return [path for path in found if path.name not in known]


def _make_id(engine: Engine) -> str:
    with writing(engine) as session:
        found = session.exec(select(StoreRow.id)).first() or uuid4().hex
        session.merge(StoreRow(id=found))
        return found


def _read_mark(folder: Path) -> str:
    """The id in the folder's mark; empty where there is no mark or it holds no id."""
    mark = folder / MARK
    text = mark.read_text(encoding="utf-8", errors="replace").strip() if mark.is_file() else ""
    return text if re.fullmatch(r"[0-9a-f]{32}", text) else ""


def _folders(layout: Layout) -> list[Path]:
    return [layout.versions] if layout.bucket_url else [layout.blobs.root, layout.versions]


def _content(folder: Path) -> set[str]:
    """The names in the folder that a store gave."""
    if not folder.is_dir():
        return set()
    return {path.name for path in folder.iterdir() if CONTENT[folder.name].fullmatch(path.name)}


def _is_its_own(engine: Engine, layout: Layout, folder: Path) -> bool:
    """Whether a folder without a mark, as earlier programs left it, belongs to the database: it is beside it, or
    holds something that a row names."""
    if is_sqlite(engine) and sqlite_file(str(engine.url)).parent.resolve() == layout.root.resolve():
        return True
    with reading(engine) as session:
        if folder == layout.versions:
            return bool(set(session.exec(select(Version.sha256))) & _content(folder))
        return any(layout.blobs.path(sha256).exists() for sha256 in some_pictures(session, LOOKED_AT))
