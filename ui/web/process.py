"""The settings and the store of this page process, read and opened once."""

from functools import cache

from sqlalchemy import Engine

from store.migrate import open_store
from store.settings import Settings
from store.settings.file import read_settings
from store.settings.live import as_changed


def settings() -> Settings:
    """The settings of this process, with what an admin changed meanwhile."""
    return as_changed(first_settings())


@cache
def first_settings() -> Settings:
    """The settings with which this process started."""
    return read_settings()


@cache
def engine() -> Engine:
    """The store that the settings name, migrated to the newest schema."""
    return open_store(settings())
