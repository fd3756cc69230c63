"""What a person does with pictures of a sorted folder: a few at a time, so that the page can show how far it is."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from sqlalchemy import Engine

from feedback.exchange.pictures.mapping import own_mapping
from feedback.exchange.pictures.sources import Archive
from feedback.exchange.sorting.moving import Target, require_apart, take_along
from feedback.exchange.sorting.sending import send
from feedback.exchange.sorting.sortings import Sorting, acts_of, require_allowed, require_source, rows_of
from feedback.exchange.sorting.table import Row
from feedback.exchange.sorting.tagging import tag
from feedback.exchange.sorting.unpacking import require_copies, unpack
from store.errors import BadRequest
from store.layout import layout_of
from store.settings import Settings

log = logging.getLogger(__name__)

What = Literal["move", "copy", "tag", "send"]
MOST_AT_ONCE = 200


class Standing(NamedTuple):
    """The rows that still stand for a file of the folder, by number, and what was done with pictures."""

    rows: dict[int, Row]
    moved: dict[int, Path]
    tagged: set[int]
    sent: set[int]


class Acted(NamedTuple):
    """How many pictures it was done with, and a sentence for each that stayed as it was."""

    pictures: int
    stayed: list[str]


def standing_of(settings: Settings, sorting: Sorting) -> Standing:
    """What is there now. Of a file that was scored again, only the newest row counts."""
    layout = layout_of(settings)
    rows, newest = rows_of(layout, sorting.number).all(), {}
    for number, row in enumerate(rows):
        newest[row.entry.name] = number
    done = Standing({number: rows[number] for number in newest.values()}, {}, set(), set())
    for act in acts_of(layout, sorting.number).all():
        numbers = [number for number in act["rows"] if number in done.rows]
        match act["what"]:
            case "move":
                done.moved.update(dict.fromkeys(numbers, Path(act["to"])))
            case "tag":
                done.tagged.update(numbers)
            case "send":
                done.sent.update(numbers)
    return done


def act(
    engine: Engine, settings: Settings, sorting: Sorting, what: What, numbers: Sequence[int], to: Path | None
) -> Acted:
    """Moves or copies pictures to a folder, tags them, or sends them to raters; files that changed stay as they were.

    Those that were moved before are passed over. Raises BadRequest for a picture that is not there, or a folder that
    may not be written to.
    """
    there = standing_of(settings, sorting)
    if unknown := [number for number in numbers if number not in there.rows]:
        raise BadRequest(f"picture {unknown[0]} is no picture of this folder any more; look again")
    folder, stayed = require_allowed(settings, sorting.folder), list[str]()
    wanted = {number: there.rows[number] for number in numbers if number not in there.moved}
    done = _do(engine, settings, folder, what, wanted, to, stayed.append)
    place = "" if to is None else str(to.resolve())
    acts_of(layout_of(settings), sorting.number).add([{"what": what, "rows": done, "to": place}])
    return Acted(len(done), stayed)


def _do(
    engine: Engine,
    settings: Settings,
    folder: Path,
    what: What,
    rows: dict[int, Row],
    to: Path | None,
    say: Callable[[str], None],
) -> list[int]:
    """The numbers of the pictures that it was done with."""
    source = require_source(folder)
    if what == "send":
        mapped = own_mapping(source, log.info)
        send(engine, layout_of(settings).blobs, source, list(rows.values()), mapped, say)
        return list(rows)
    if what == "tag":
        if isinstance(source, Archive):
            raise BadRequest("a ZIP archive stays as it is, so nothing in it can be tagged; copy the pictures first")
        return [number for number, row in rows.items() if tag(folder, row, say)]
    if to is None:
        raise BadRequest("name a folder to take the pictures to")
    target = Target(require_allowed(settings, to), moves=what == "move")
    require_apart(folder, target.folder)
    if isinstance(source, Archive):
        require_copies(target)
        went = unpack(source, list(rows.values()), target, say)
    else:
        went = take_along(folder, list(rows.values()), target, say)
    gone = {row.entry.name for row in went.rows}
    return [number for number, row in rows.items() if row.entry.name in gone]
