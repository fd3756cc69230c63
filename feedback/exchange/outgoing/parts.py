"""The files of an export, one after another, so that a folder and a zip are written alike."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple

from sqlalchemy import Engine
from sqlmodel import select

from feedback.exchange.outgoing.card import Held, dataset_card
from feedback.exchange.outgoing.chosen import Chosen, Wanted, bytes_of, chosen_pictures
from feedback.exchange.outgoing.label_studio import labelling_interface, task
from feedback.exchange.outgoing.pairs import pair_files
from feedback.exchange.outgoing.rows import csv_line, json_line, picture_row, vote_rows
from feedback.exchange.outgoing.shards import Shards
from store.engine import reading
from store.files import Blobs
from store.tables import Version

TEXTS = ("train/metadata.jsonl", "metadata.csv", "votes.jsonl", "label-studio.json")


class Part(NamedTuple):
    """A file of the export: its name, and its bytes or where they are for the taking. `content` is None for a picture
    that is there already."""

    name: str
    content: bytes | Path | None


def _never(_name: str, _sha256: str) -> bool:
    return False


def parts_of(
    engine: Engine,
    blobs: Blobs,
    wanted: Wanted,
    scratch: Path,
    folder: str,
    held: Held,
    *,
    is_there: Callable[[str, str], bool] = _never,
) -> Iterator[Part]:
    """The files: pictures first, the card last. Files in the folder `scratch` may be moved away.

    `folder` is the name that the export will have, for Label Studio's addresses; `held` is filled on the way.
    `is_there` says whether the picture of that name and hash need not be given again.
    """
    yield from _pictures_and_tables(engine, blobs, wanted, scratch, folder, held, is_there)
    for path, pairs in pair_files(engine, blobs, wanted, scratch):
        held.pairs += pairs
        yield Part(f"pairs/{path.name}", path)
    yield Part("label-studio.xml", labelling_interface().encode())
    with reading(engine) as session:
        base = session.exec(select(Version.base_model).where(Version.number == 0)).first() or ""
    yield Part("README.md", dataset_card(held, base, wanted).encode())


def _pictures_and_tables(
    engine: Engine,
    blobs: Blobs,
    wanted: Wanted,
    scratch: Path,
    folder: str,
    held: Held,
    is_there: Callable[[str, str], bool],
) -> Iterator[Part]:
    shards = Shards(scratch)
    with ExitStack() as stack:
        paths = {name: scratch / name.replace("/", "-") for name in TEXTS}
        tables = _Tables(
            *(stack.enter_context(path.open("w", encoding="utf-8", newline="")) for path in paths.values())
        )
        for one in chosen_pictures(engine, wanted):
            name, png = f"train/{one.name}", None
            is_known = is_there(name, one.sha256)
            if not is_known or wanted.has_shards:
                png = bytes_of(blobs, one.sha256, one.origin)
                if png is None:
                    held.lost += 1
                    continue
            yield Part(name, None if is_known else png)
            held.add(one)
            tables.write(one, folder)
            if wanted.has_shards and png is not None and (full := shards.add(one, png)):
                yield Part(f"shards/{full.name}", full)
        tables.end()
    if last := shards.close():
        yield Part(f"shards/{last.name}", last)
    for name, path in paths.items():
        yield Part(name, path)


class _Tables:
    """The tables, a picture after another."""

    def __init__(self, lines: IO[str], table: IO[str], votes: IO[str], tasks: IO[str]) -> None:
        self.lines, self.table, self.votes, self.tasks = lines, table, votes, tasks
        self.is_begun = False

    def write(self, one: Chosen, folder: str) -> None:
        row = picture_row(one)
        self.lines.write(json_line(row))
        cells = row | {"file_name": f"train/{one.name}"}
        if not self.is_begun:
            self.table.write(csv_line(cells))
        self.table.write(csv_line(cells.values()))
        self.votes.writelines(json_line(vote) for vote in vote_rows(one))
        self.tasks.write(",\n" if self.is_begun else "[\n")
        self.tasks.write(json_line(task(one, folder)).rstrip())
        self.is_begun = True

    def end(self) -> None:
        self.tasks.write("\n]\n" if self.is_begun else "[]\n")
