"""What the page Sort shows, as JSON: numbers, texts and addresses of pictures, no HTML."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine

from feedback.check.version_check import VersionCheck
from feedback.exchange.sorting.acting import standing_of
from feedback.exchange.sorting.champion import why_no_check
from feedback.exchange.sorting.held_out import HeldOut
from feedback.exchange.sorting.sortings import Sorting, rows_of
from feedback.retrain.stages import Left, left_words
from feedback.versions import get_version
from feedback.workers import NO_WORKER, is_worker_alive, list_workers, who_has_device
from store.engine import reading
from store.layout import layout_of
from store.settings import Settings
from store.tables import TaskStatus
from ui.dashboard.sort.pictures import picture_name
from ui.web.phrases import ago

ADDRESS = "/naysayer/sort"
Answer = dict[str, Any]


def listed(engine: Engine, settings: Settings, sortings: Sequence[Sorting]) -> Answer:
    """The folders that were sorted before, and why no other can be now; empty: one can."""
    layout = layout_of(settings)
    return {
        "sortings": [
            {
                "number": one.number,
                "folder": str(one.folder),
                "version": one.version,
                "scored": len(rows_of(layout, one.number).all()),
                "isAtWork": one.is_at_work,
                "ago": ago(one.created_at),
            }
            for one in sortings
        ],
        "unable": why_no_check(engine),
        "inside": "" if settings.sort_dir is None else str(settings.sort_dir.resolve()),
    }


def sorting_answer(engine: Engine, settings: Settings, sorting: Sorting, after: int) -> Answer:
    """How far it is, and the scores of the rows from `after` on; with the first ones, what raters said of others.

    A row without a score has none there. `gone` are rows whose file was moved, or scored again.
    """
    rows, there = rows_of(layout_of(settings), sorting.number).all(), standing_of(settings, sorting)
    found: Answer = {
        "number": sorting.number,
        "folder": str(sorting.folder),
        "isArchive": sorting.folder.is_file(),
        "version": sorting.version,
        "isAtWork": sorting.is_at_work,
        "isDone": sorting.status is TaskStatus.done,
        "total": max(sorting.total, len(there.rows)),
        "said": _said(engine, sorting),
        "after": after,
        "scores": [row.score for row in rows[after:]],
        "gone": sorted({*range(len(rows))} - there.rows.keys() | there.moved.keys()),
        "moved": len(there.moved),
        "tagged": sorted(there.tagged),
        "sent": sorted(there.sent),
    }
    return found if after else found | _meaning(engine, sorting.version)


def rows_answer(settings: Settings, sorting: Sorting, numbers: Sequence[int]) -> Answer:
    """These rows with their pictures."""
    rows = rows_of(layout_of(settings), sorting.number).all()
    address = settings.below(f"{ADDRESS}/{sorting.number}/picture/")

    def url(number: int, size: str) -> str:
        return address + picture_name(settings, sorting.number, number, size)

    return {
        "rows": [
            {
                "id": number,
                "name": rows[number].entry.name,
                "prompt": rows[number].prompt,
                "why": rows[number].why,
                "url": url(number, "small"),
                "large": url(number, "large"),
            }
            for number in numbers
            if number < len(rows)
        ]
    }


def _meaning(engine: Engine, number: int) -> Answer:
    """The version's own cut, and the scores of held-out pictures, by what raters said of them."""
    check = VersionCheck.of(get_version(engine, number))
    with reading(engine) as session:
        held_out = HeldOut.of(session, number)
    return {"cut": check.cut if check else None, "kept": held_out.kept, "rejected": held_out.rejected}


def _said(engine: Engine, sorting: Sorting) -> str:
    """How far it is, beside the numbers."""
    if not sorting.is_at_work:
        return sorting.message
    if not is_worker_alive(engine):
        return NO_WORKER
    if who := who_has_device(list_workers(engine)):
        return f"{who} has the device; scoring goes on after it"
    if sorting.status is TaskStatus.waiting:
        return "waiting for the worker"
    return "" if sorting.left_s is None else left_words(Left(sorting.left_s))
