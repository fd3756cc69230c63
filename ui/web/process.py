"""The settings and the store of this page process, read and opened once."""

from functools import cache

from sqlalchemy import Engine

from store.migrate import open_store
from store.settings import Settings
from store.settings.file import read_settings


@cache
def settings() -> Settings:
    """The settings of this process."""
    return read_settings()


@cache
def engine() -> Engine:
    """The store that the settings name, migrated to the newest schema."""
    return open_store(settings())
