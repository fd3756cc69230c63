"""Who changed which setting when, from what to what: a file in the data folder that is only ever added to."""

import json
import os
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from store.errors import DamagedStore
from store.files import only_one
from store.tables import utc_now

HISTORY_FILE = "settings.jsonl"
LOCK_FILE = "settings.lock"
BUSY = "somebody else is changing a setting of this store; try again"


class SettingChange(NamedTuple):
    """A change of a setting in the data folder, and by whom; an empty value means the default."""

    field: str
    before: str
    after: str
    by: str
    at: datetime


def one_at_a_time(folder: Path) -> AbstractContextManager[None]:
    """Holds off other changes of this folder's settings. Raises Busy."""
    return only_one(folder / LOCK_FILE, BUSY)


def record_change(folder: Path, change: SettingChange) -> None:
    """Adds a line to the history and flushes it."""
    line = {
        "at": change.at.isoformat(timespec="seconds"),
        "by": change.by,
        "setting": change.field,
        "from": change.before,
        "to": change.after,
    }
    with (folder / HISTORY_FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def list_changes(folder: Path, limit: int = 50) -> list[SettingChange]:
    """The newest changes, newest first. Raises DamagedStore for a line that is none."""
    path = folder / HISTORY_FILE
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_change_of(path, number, line) for number, line in list(enumerate(lines, 1))[: -limit - 1 : -1]]


def as_change(field: str, before: str, after: str, by: str) -> SettingChange:
    """A change that is made now."""
    return SettingChange(field, before, after, by, utc_now())


def _change_of(path: Path, number: int, line: str) -> SettingChange:
    try:
        found = json.loads(line)
        at = datetime.fromisoformat(found["at"])
        return SettingChange(found["setting"], found["from"], found["to"], found["by"], at)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedStore(
            f"line {number} of {path} is no change of a setting; take it out; the settings themselves are in order"
        ) from error
