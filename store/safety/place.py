"""Where a store is: its data folder, and its SQLite file."""

from pathlib import Path

from sqlalchemy import make_url

from store.engine import sqlite_file
from store.files import refuse_file
from store.layout import Layout, layout_of
from store.safety.identity import is_lost
from store.settings import Settings


def file_of(settings: Settings) -> Path | None:
    """The store's SQLite file; None for a store on a server."""
    return sqlite_file(settings.url) if make_url(settings.url).get_backend_name() == "sqlite" else None


def place_of(settings: Settings) -> tuple[Layout, Path | None]:
    """The data folder and the SQLite file, if there is one. Raises BadRequest where a file stands for a folder."""
    layout, file = layout_of(settings), file_of(settings)
    refuse_file(layout.root, "the data folder (NAYSAYER_DATA_DIR)")
    if file is not None:
        refuse_file(file.parent, "the folder of the database (NAYSAYER_STORE_URL)")
    return layout, file


def missing_store(settings: Settings) -> Path | None:
    """Where the SQLite file of a store would be that has not begun yet; None for one that is there, or on a server."""
    _, file = place_of(settings)
    return file if file is not None and is_lost(file) else None
