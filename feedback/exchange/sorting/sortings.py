"""Folders that a page asked to be sorted: the worker scores them between two drawings, and the page follows."""

import zipfile
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self

from sqlalchemy import Engine
from sqlmodel import col, select

from feedback.exchange.pictures.sources import Archive, Folder, Source
from feedback.exchange.sorting.champion import judging_champion
from feedback.exchange.sorting.kept_rows import Lines, row_lines
from feedback.exchange.sorting.table import Row
from feedback.sample.requests import ask
from store.engine import reading, writing
from store.errors import BadRequest
from store.layout import Layout
from store.settings import Settings
from store.tables import Task, TaskKind, TaskStatus, utc_now

STOPPED = "stopped by a person"
AT_WORK = (TaskStatus.waiting, TaskStatus.running)
MOST_LISTED = 20


class Sorting(NamedTuple):
    """A folder, or a ZIP archive, that is being sorted, by which version, how many pictures it had when that began, and
    how long it still takes; without `left_s` nobody knows yet. `message` says why it ended early."""

    number: int
    folder: Path
    version: int
    status: TaskStatus
    total: int
    left_s: float | None
    message: str
    created_at: datetime

    @classmethod
    def of(cls, task: Task) -> Self:
        assert task.id is not None
        body, answer = task.body, task.answer
        how_far = answer.get("total", 0), answer.get("left_s")
        return cls(task.id, Path(body["folder"]), body["version"], task.status, *how_far, task.message, task.created_at)

    @property
    def is_at_work(self) -> bool:
        return self.status in AT_WORK


def ask_to_sort(engine: Engine, settings: Settings, folder: Path) -> Sorting:
    """The sorting of a folder by the champion: the one that is at work or ended, which goes on, else a new one.

    Raises BadRequest for a folder that may not be read, or a champion that cannot judge.
    """
    place = require_allowed(settings, folder)
    version, _ = judging_champion(engine)
    same = next((one for one in list_sortings(engine) if (one.folder, one.version) == (place, version.number)), None)
    if same is None:
        number = ask(engine, TaskKind.sort, {"folder": str(place), "version": version.number})
        return require_sorting(engine, number)
    if not same.is_at_work:
        _set(engine, same.number, TaskStatus.waiting, "")
    return require_sorting(engine, same.number)


def stop_sorting(engine: Engine, number: int) -> None:
    """What was scored stays. Raises BadRequest where it is not at work."""
    if not require_sorting(engine, number).is_at_work:
        raise BadRequest("this folder is not being scored; nothing was changed")
    _set(engine, number, TaskStatus.failed, STOPPED)


def list_sortings(engine: Engine) -> list[Sorting]:
    """The newest ones, newest first."""
    newest = select(Task).where(Task.kind == TaskKind.sort).order_by(col(Task.id).desc()).limit(MOST_LISTED)
    with reading(engine) as session:
        return [Sorting.of(task) for task in session.exec(newest)]


def require_sorting(engine: Engine, number: int) -> Sorting:
    """The one with that number. Raises BadRequest where there is none."""
    with reading(engine) as session:
        task = session.get(Task, number)
    if task is None or task.kind is not TaskKind.sort:
        raise BadRequest(f"no folder was sorted under the number {number}; give the folder again")
    return Sorting.of(task)


def report(engine: Engine, number: int, status: TaskStatus, answer: dict[str, float | None], message: str = "") -> bool:
    """Records how far the worker is; False when a person stopped it meanwhile."""
    with writing(engine) as session:
        task = session.get(Task, number)
        if task is None or task.status is not TaskStatus.running:
            return False
        task.status, task.answer, task.message, task.updated_at = status, answer, message, utc_now()
        session.add(task)
        return True


@lru_cache(maxsize=8)
def rows_of(layout: Layout, number: int) -> Lines[Row]:
    """What was scored of a folder; a row's number is its place."""
    return row_lines(_folder_of(layout, number) / "rows.jsonl")


@lru_cache(maxsize=8)
def acts_of(layout: Layout, number: int) -> Lines[dict[str, Any]]:
    """What was done with its pictures, in order."""
    return Lines(_folder_of(layout, number) / "acts.jsonl", dict)


def require_allowed(settings: Settings, folder: Path) -> Path:
    """The folder, with links followed, which pages may read and write to. Raises BadRequest for any other.

    Whoever uses the pages at this machine may name any; others only one inside NAYSAYER_SORT_DIR. The store's own
    folder, and whatever holds it, is nobody's.
    """
    if not folder.is_absolute():
        raise BadRequest(f"{str(folder)[:200]!r} is no full path; give one that begins with /, as on the server")
    place, store, inside = folder.resolve(), settings.data_dir.resolve(), settings.sort_dir
    if place.is_relative_to(store) or store.is_relative_to(place):
        raise BadRequest(f"{place} holds this store's own files; name another folder")
    if inside is None and settings.sign_in != "name":
        raise BadRequest(
            "no folder may be named from here; whoever runs the server sets NAYSAYER_SORT_DIR to a folder of pictures"
        )
    if inside is not None and not place.is_relative_to(inside.resolve()):
        raise BadRequest(f"{place} does not lie in {inside.resolve()} (NAYSAYER_SORT_DIR); name a folder inside it")
    return place


def require_source(place: Path) -> Source:
    """The pictures in it. Raises BadRequest where it is neither a folder nor a ZIP archive."""
    if place.is_dir():
        return Folder(place)
    if not place.is_file() or not zipfile.is_zipfile(place):
        raise BadRequest(f"{place} is no folder on the server and no ZIP; give a folder of pictures, or a ZIP of them")
    return _archive(place, place.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _archive(place: Path, _changed_ns: int) -> Archive:
    """It stays open: its list of contents is long, and each picture that is shown asks for it."""
    return Archive(place)


def _folder_of(layout: Layout, number: int) -> Path:
    return layout.cache / "sorted" / str(number)


def _set(engine: Engine, number: int, status: TaskStatus, message: str) -> None:
    with writing(engine) as session:
        task = session.get_one(Task, number)
        task.status, task.message, task.updated_at = status, message, utc_now()
        session.add(task)
