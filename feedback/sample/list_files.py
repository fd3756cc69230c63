"""Lists that people import: the rows of a TSV, CSV or JSON-lines file, each with its line number."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from store.errors import BadRequest

DELIMITERS = {".tsv": "\t", ".csv": ","}


class Line(NamedTuple):
    """A line of a file and its number, from 1."""

    number: int
    text: str


class Row(NamedTuple):
    """A row by column, and the number of the line it ends on."""

    line: int
    fields: dict[str, object]


def read_lines(path: Path) -> list[Line]:
    """The lines of a UTF-8 text file that are not blank. Raises BadRequest when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} cannot be read as UTF-8 text ({error}); nothing was imported") from error
    return [Line(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def read_rows(path: Path, needed: str) -> list[Row]:
    """The rows of a `.jsonl`, `.csv` or, with any other ending, TSV file.

    Raises BadRequest with the line and with `needed`, which says what every row must have.
    """
    lines = read_lines(path)
    parse = _json_rows if path.suffix.lower() == ".jsonl" else _table_rows
    rows: list[Row] = []
    try:
        for row in parse(lines, DELIMITERS.get(path.suffix.lower(), "\t")):
            if not isinstance(row.fields, dict):
                raise TypeError(f"{row.fields!r} is not an object")
            rows.append(row)
    except (TypeError, ValueError, RecursionError, csv.Error) as error:
        raise bad_row(path, lines[min(len(rows), len(lines) - 1)].number, needed, error) from error
    return rows


def bad_row(path: Path, line: int, needed: str, error: Exception) -> BadRequest:
    """The error for a row that lacks what is needed."""
    return BadRequest(
        f"{path.name} has no {needed} in line {line} ({type(error).__name__}: {error}); give TSV, CSV or JSON lines "
        f"with {needed} in every row; nothing was imported"
    )


def _json_rows(lines: list[Line], _delimiter: str) -> Iterator[Row]:
    return (Row(line.number, json.loads(line.text)) for line in lines)


def _table_rows(lines: list[Line], delimiter: str) -> Iterator[Row]:
    reader = csv.DictReader([line.text for line in lines], delimiter=delimiter)
    return (Row(lines[reader.line_num - 1].number, fields) for fields in reader)
