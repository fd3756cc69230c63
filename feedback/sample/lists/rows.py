"""Lists that people import: the rows of a text, CSV, TSV, JSON or JSON-lines file, each with its line number.

What lines and quotes mean is left to each format: CSV has quotes and lines inside cells, TSV has neither, JSON lines
and text end at a line feed and nowhere else.
"""

import codecs
import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from feedback.sample.lists.look_alikes import looks_like
from store.errors import BadRequest
from store.texts import EDGES, find_control

MAX_BYTES = 100 * 10**6
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
OTHER_KINDS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\xd0\xcf\x11\xe0": "an Office document",
    b"SQLite format 3": "a database",
}
DELIMITERS = (",", ";", "\t")
NAMED_DELIMITER = re.compile(r"sep=(.)\r?\n")
QUOTED = re.compile(r'"((?:[^"]|"")*)"')
BETWEEN = re.compile(r"[\s,]*")
Aliases = Mapping[str, str]
"""Other names of columns, and under which each is read; the first counts where a list has several."""
NO_ALIASES: Aliases = MappingProxyType({})


class Row(NamedTuple):
    """A row by column, in lower case, and the number of the line it begins on; `is_typed`: numbers are numbers."""

    line: int
    fields: dict[str, object]
    is_typed: bool = False


class Fault(Exception):
    """What is wrong with a line of a list."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line, self.why = line, why


def read_rows(path: Path, content: bytes | None = None, aliases: Aliases = NO_ALIASES) -> list[Row]:
    """The rows of a list; its ending says which kind it is. `content` is what it holds, where it is read already.

    Raises BadRequest, which names the line.
    """
    if content is None and not path.exists():
        raise BadRequest(f"there is no file {path_text(path)}; check its name and folder; nothing was imported")
    ending = path.suffix.lower()
    if ending not in READERS:
        found = f"the ending {ending!r}" if ending else "no ending"
        raise BadRequest(
            f"{file_name(path)} has {found}; a list is {', '.join(READERS)}, so save or unpack it as one of these; "
            "nothing was imported"
        )
    try:
        rows = list(READERS[ending](text_of(bytes_of(path) if content is None else content), aliases))
    except OSError as error:
        raise BadRequest(f"{file_name(path)} cannot be read ({error.strerror}); nothing was imported") from error
    except Fault as fault:
        raise bad_line(path, fault) from fault
    if not rows:
        raise BadRequest(f"{file_name(path)} holds no prompt; nothing was imported")
    return rows


def bad_line(path: Path, fault: Fault) -> BadRequest:
    """The error for a faulty line."""
    return BadRequest(f"{file_name(path)}, line {fault.line}: {fault.why}; nothing was imported")


def file_name(path: Path) -> str:
    """The file's name as text: at most 80 characters, without those that no text may hold."""
    return path_text(Path(path.name))[:80]


def path_text(path: Path) -> str:
    """The path as text on one line, without the characters that no text may hold."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join("\ufffd" if find_control(one) else one for one in text)


def bytes_of(path: Path) -> bytes:
    """What a list holds. Raises Fault where it is too long, OSError where it cannot be read."""
    if (size := path.stat().st_size) > MAX_BYTES:
        raise Fault(1, f"the file has {size / 1e6:.0f} MB, {MAX_BYTES // 10**6} are allowed; split it")
    return path.read_bytes()


def text_of(content: bytes) -> str:
    """The text of a list, in UTF-8 or with a byte-order mark. Raises Fault."""
    if kind := next((kind for start, kind in OTHER_KINDS.items() if content.startswith(start)), ""):
        raise Fault(1, f"this is {kind}; save the list as UTF-8 text")
    encoding = next((encoding for mark, encoding in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Fault(
            line, f"the byte 0x{content[error.start]:02x} is no {encoding.upper()}; save the file as UTF-8"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Fault(line, "there is a zero byte, as in UTF-16 without a byte-order mark; save the file as UTF-8")
    return text


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers; they end at LF or CRLF."""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if "\r" in line:
            raise Fault(number, "a carriage return stands without a line feed; save it with the line ends of Unix")
        if line.strip(EDGES + " "):
            yield number, line


def _text_rows(text: str, _aliases: Aliases) -> Iterator[Row]:
    lines = list(lines_of(text))
    if found := looks_like(lines):
        raise Fault(found.line, f"this looks like {found.kind}, not like text with a prompt a line; {found.advice}")
    return (Row(number, {"prompt": line}) for number, line in lines)


def _tsv_rows(text: str, aliases: Aliases) -> Iterator[Row]:
    cells = ((number, [tsv_cell(number, cell) for cell in line.split("\t")]) for number, line in lines_of(text))
    return _by_column(cells, aliases)


def tsv_cell(line: int, cell: str) -> str:
    """A cell of TSV without the quotes that enclose all of it. Raises Fault."""
    if whole := QUOTED.fullmatch(cell):
        return whole[1].replace('""', '"')
    if cell.startswith('"') and cell.count('"') % 2:
        raise Fault(
            line, f"the quotation mark before {cell[1:40]!r} is not closed in its cell; close it or take it out"
        )
    return cell


def _csv_rows(text: str, aliases: Aliases) -> Iterator[Row]:
    named = NAMED_DELIMITER.match(text)
    delimiter = named[1] if named else _delimiter(text, aliases)
    rows = numbered(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    if named:
        next(rows)
    return _by_column(rows, aliases)


def _delimiter(text: str, aliases: Aliases) -> str:
    for delimiter in DELIMITERS:
        try:
            header = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        except csv.Error:
            continue
        if "prompt" in _columns(map(column_of, header), aliases):
            return delimiter
    return DELIMITERS[0]


def numbered(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV reader, each with the number of the line it begins on. Raises Fault."""
    start = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise Fault(
                start, f'this is no CSV row ({error}); a cell with quotes is written "a ""red"" cup"'
            ) from error
        if cells is None:
            return
        yield start, cells
        start = reader.line_num + 1


def _by_column(rows: Iterable[tuple[int, list[str]]], aliases: Aliases) -> Iterator[Row]:
    columns: list[str] = []
    for line, cells in rows:
        if not any(cell.strip(EDGES + " ") for cell in cells):
            continue
        names = _columns(map(column_of, cells), aliases)
        if not columns:
            columns = names
            if names.count("prompt") != 1 or names.count("seed") > 1:
                raise Fault(line, f"the columns are {', '.join(names)[:120]}; exactly one must be `prompt`")
            continue
        if names == columns:
            raise Fault(line, "the header comes again, as where two files were joined; take it out")
        if any(cells[len(columns) :]):
            raise Fault(line, f"there are {len(cells)} cells under {len(columns)} columns; put the text in quotes")
        yield Row(line, dict(zip(columns, cells, strict=False)))


def column_of(cell: str) -> str:
    """The name of a column, whatever its case."""
    return cell.strip(EDGES + " ").casefold()


def _columns(names: Iterable[str], aliases: Aliases) -> list[str]:
    """The names, an alias replaced by what it stands for where that is not there.

    >>> _columns(["file_name", "text", "caption"], {"file_name": "file", "caption": "prompt", "text": "prompt"})
    ['file', 'text', 'prompt']
    """
    found = list(names)
    for alias, name in aliases.items():
        if alias in found and name not in found:
            found[found.index(alias)] = name
    return found


def _json_line_rows(text: str, aliases: Aliases) -> Iterator[Row]:
    for number, line in lines_of(text):
        try:
            value = json.loads(line.strip(EDGES), object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            raise Fault(number, f"this is no JSON value ({error}); a list over many lines is `.json`") from error
        yield _json_row(number, value, aliases)


def _json_rows(text: str, aliases: Aliases) -> Iterator[Row]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise Fault(line, f"this is no JSON ({error}); one value a line is `.jsonl`") from error
    if not isinstance(values, list):
        raise Fault(1, "the file holds no list; give a list of texts, or of objects with `prompt`")
    decoder, line, place = json.JSONDecoder(object_pairs_hook=_object), 1, text.index("[") + 1
    for _ in values:
        begin = BETWEEN.match(text, place).end()  # type: ignore[union-attr]
        line += text.count("\n", place, begin)
        try:
            value, place = decoder.raw_decode(text, begin)
        except ValueError as error:
            raise Fault(line, str(error)) from error
        yield _json_row(line, value, aliases)
        line += text.count("\n", begin, place)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = {column_of(name): value for name, value in pairs}
    if len(fields) < len(pairs):
        raise ValueError("two names of one object are the same")
    return fields


def _json_row(line: int, value: object, aliases: Aliases) -> Row:
    if isinstance(value, str):
        return Row(line, {"prompt": value}, is_typed=True)
    if not isinstance(value, dict):
        raise Fault(line, f"{json.dumps(value)[:40]} is neither a text nor an object with `prompt`")
    return Row(line, dict(zip(_columns(value, aliases), value.values(), strict=True)), is_typed=True)


READERS: dict[str, Callable[[str, Aliases], Iterator[Row]]] = {
    ".txt": _text_rows,
    ".csv": _csv_rows,
    ".tsv": _tsv_rows,
    ".json": _json_rows,
    ".jsonl": _json_line_rows,
    ".jsonlines": _json_line_rows,
    ".ndjson": _json_line_rows,
}
