"""Opens a store that must be there: a wrong folder is no reason to begin a second one."""

from sqlalchemy import create_engine, make_url
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError

from store.errors import BadRequest
from store.migrate import open_store, schema_of
from store.safety.identity import is_lost, refuse_lost_database
from store.safety.place import place_of
from store.settings import Settings


def open_existing(settings: Settings) -> Engine:
    """The engine of the store, as of `open_store`. Raises BadRequest where that would begin a new one."""
    if where := place_of_none(settings):
        raise BadRequest(
            f"there is no store in {where}, so nothing was done; check NAYSAYER_DATA_DIR and NAYSAYER_STORE_URL, or "
            "begin one with `naysayer run`"
        )
    return open_store(settings)


def place_of_none(settings: Settings) -> str:
    """Where there is no store yet, for a sentence; empty where there is one. Raises DamagedStore where one is lost."""
    layout, file = place_of(settings)
    if file is None:
        return "" if _has_schema(settings) else make_url(settings.url).render_as_string()
    if not is_lost(file):
        return ""
    refuse_lost_database(str(file), layout)
    return str(settings.data_dir)


def _has_schema(settings: Settings) -> bool:
    server = create_engine(settings.url)
    try:
        with server.connect() as connection:
            return schema_of(connection) is not None
    except DatabaseError:
        return True  # `open_store` says what is wrong
    finally:
        server.dispose()
