"""Settings that an admin changed while this process runs, taken over without a restart."""

import logging
from functools import cache, lru_cache
from pathlib import Path

from store.errors import NaysayerError
from store.settings import Settings
from store.settings.file import read_settings
from store.settings.from_pages import AT_ONCE, CHANGEABLE
from store.settings.sources import SETTINGS_FILE

log = logging.getLogger(__name__)
Stamp = tuple[int, int, int]


def as_changed(settings: Settings) -> Settings:
    """The settings as they are now: those that hold at once, as the data folder's file and the environment say.

    While the file is as this process first found it, the very same settings. A file that cannot be used
    changes nothing.
    """
    path = settings.data_dir.absolute() / SETTINGS_FILE
    first, now = _first_stamp(path), _stamp(path)
    return settings if now == first else _take_over(settings, now)


@lru_cache(maxsize=8)
def _take_over(settings: Settings, _now: Stamp | None) -> Settings:
    try:
        fresh = read_settings()
    except NaysayerError as error:
        log.warning("%s; the settings stay as they were", error)
        return settings
    changed = {field: getattr(fresh, field) for field, about in CHANGEABLE.items() if about.holds == AT_ONCE}
    return settings.model_copy(update=changed)


@cache
def _first_stamp(path: Path) -> Stamp | None:
    return _stamp(path)


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
