"""The rows of a file of votes, whatever its kind: CSV, TSV, JSON, JSON lines or Parquet."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from feedback.exchange.incoming.said import COLUMNS, Row
from feedback.sample.lists.rows import (
    MARKS,
    OTHER_KINDS,
    Fault,
    bytes_of,
    column_of,
    file_name,
    lines_of,
    numbered,
    path_text,
    text_of,
    tsv_cell,
)
from store.errors import BadRequest

BATCH = 64
"""Rows of Parquet in memory at once; each may hold two pictures."""
DELIMITERS = ",;\t"
LONGEST_LINE, LONGEST_MARK = 10 * 10**6, 16
"""Bytes of a line of JSON, and those by which a file's encoding or another kind of file is told."""
VOTES = "votes.jsonl"
"""Where the votes are in an exported folder."""


Numbered = tuple[int, Row | Fault]
"""A row with the number of its line (JSON and Parquet: of its record), or what is wrong with that line."""


def votes_file(path: Path) -> Path:
    """The file of votes: of an exported folder the one in it. Raises BadRequest for another folder."""
    if not path.is_dir():
        return path
    if not (path / VOTES).is_file():
        raise BadRequest(f"{path_text(path)} is a folder without {VOTES}; name a file of votes; nothing was imported")
    return path / VOTES


def read_rows(path: Path) -> Iterator[Numbered]:
    """The rows. Raises BadRequest when the file cannot be read, or has an ending that is none of ours."""
    if not path.exists():
        raise BadRequest(f"there is no file {path_text(path)}; check its name and folder; nothing was imported")
    ending = path.suffix.lower()
    if ending not in READERS:
        found = f"the ending {ending!r}" if ending else "no ending"
        raise BadRequest(f"{file_name(path)} has {found}; votes come as {', '.join(READERS)}; nothing was imported")
    try:
        yield from READERS[ending](path)
    except Fault as fault:  # nothing can be read behind it
        yield fault.line, fault
    except (OSError, pa.ArrowException) as error:
        raise BadRequest(f"{file_name(path)} cannot be read ({str(error)[:120]}); nothing was imported") from error


def _json_lines(path: Path) -> Iterator[Numbered]:
    with path.open("rb") as file:
        is_plain = not file.read(LONGEST_MARK).startswith((*MARKS, *OTHER_KINDS))
        file.seek(0)
        for number, line in _plain_lines(file) if is_plain else lines_of(text_of(bytes_of(path))):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                why = f"this is no JSON value ({str(error)[:80]}); a list over many lines is `.json`"
                yield number, Fault(number, why)
                continue
            yield number, _object(number, row)


def _plain_lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, one after another: votes of a large store need not fit into memory."""
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
        if len(line) == LONGEST_LINE:
            raise Fault(number, f"the line has more than {LONGEST_LINE // 10**6} MB; put each vote on its own line")
        if line.strip():
            yield number, line


def _json(path: Path) -> Iterator[Numbered]:
    try:
        rows = json.loads(text_of(bytes_of(path)))
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise Fault(line, f"this is no JSON ({str(error)[:80]}); one value a line is `.jsonl`") from error
    if isinstance(rows, dict):  # HPD's files name each record by a key
        rows = list(rows.values()) if all(isinstance(row, dict) for row in rows.values()) else [rows]
    for number, row in enumerate(rows if isinstance(rows, list) else [rows], 1):
        yield number, _object(number, row)


def _object(number: int, row: object) -> Row | Fault:
    return row if isinstance(row, dict) else Fault(number, f"{json.dumps(row)[:40]} is no object")


def _csv(path: Path) -> Iterator[Numbered]:
    text = text_of(bytes_of(path))
    header = text[: text.find("\n")]
    delimiter = max(DELIMITERS, key=header.count)
    yield from _by_column(numbered(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)))


def _tsv(path: Path) -> Iterator[Numbered]:
    lines = lines_of(text_of(bytes_of(path)))
    yield from _by_column((number, [tsv_cell(number, cell) for cell in line.split("\t")]) for number, line in lines)


def _by_column(rows: Iterable[tuple[int, list[str]]]) -> Iterator[Numbered]:
    columns: list[str] = []
    for line, cells in rows:
        if not columns:
            columns = [name if (name := column_of(cell)) in COLUMNS else cell.strip() for cell in cells]
        elif any(cells):
            yield line, dict(zip(columns, cells, strict=False))


def _parquet(path: Path) -> Iterator[Numbered]:
    number = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH):
            for row in batch.to_pylist():
                number += 1
                yield number, row


READERS: dict[str, Callable[[Path], Iterator[Numbered]]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}


def count_rows(path: Path) -> int | None:
    """About how many rows the file has, where that is quick to tell."""
    try:
        if path.suffix.lower() == ".parquet":
            return pq.read_metadata(path).num_rows
        if path.suffix.lower() == ".json" or not path.is_file():
            return None
        with path.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    except (OSError, pa.ArrowException):
        return None
