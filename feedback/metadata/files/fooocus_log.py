"""Fooocus's `log.html`: without metadata in its pictures, the only place where their prompts are.

Each picture has a block with a table and a button that holds the same values as quoted JSON; the table's texts are not
escaped, so the button counts where there is one.
Source: lllyasviel/Fooocus, modules/private_logger.py, of 2023 (table only) and later.
"""

import html
import json
import re
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from feedback.metadata.files.parts import text_of
from feedback.metadata.found import RawText
from feedback.metadata.values import as_dict

NAME = "log.html"
PLACE = "sidecar.log"
MAX_LOG = 64 * 2**20
"""Bytes; a day of a thousand pictures has five million."""
BLOCK = re.compile(r'^<div id="[^"]*" class="image-container"[^>]*>', re.M)
PICTURE = re.compile(r"""<a href=["']([^"'<>/\\]+)["']""")
BUTTON = re.compile(r"to_clipboard\('([^']*)'\)")
ROW = re.compile(r"<td class='(?:key|label)'>([^<]*)</td>\s*<td class='value'>(.*?)</td></tr>", re.S)
BREAK = re.compile(r"\s*</?br\s*/?>\s*")


def beside_log(path: Path) -> list[RawText]:
    """What the log in a picture's folder says of it, as one JSON text."""
    log = path.with_name(NAME)
    try:
        found = log.stat()
        is_read = 0 < found.st_size <= MAX_LOG
        return in_log(_read(log, found.st_mtime_ns), path.name) if is_read else []
    except OSError:
        return []


def in_log(entries: dict[str, str], name: str) -> list[RawText]:
    """The entry of a picture as a text, if there is one."""
    return [RawText(PLACE, entries[name])] if name in entries else []


@lru_cache(maxsize=4)
def _read(log: Path, _changed_ns: int) -> dict[str, str]:
    """Read once for all pictures of the folder."""
    return read_log(log.read_bytes())


def read_log(data: bytes) -> dict[str, str]:
    """The values of each picture as JSON, by its file's name; the newest block of a name counts, which stands first."""
    text, entries = text_of(data), dict[str, str]()
    places = [found.start() for found in BLOCK.finditer(text)]
    for begin, end in pairwise([*places, len(text)]):
        block = text[begin:end]
        is_whole = "</table></div>" in block
        if is_whole and (picture := PICTURE.search(block)) and (values := _values(block)):
            entries.setdefault(html.unescape(picture[1]), values)
    return entries


def _values(block: str) -> str:
    for button in BUTTON.finditer(block):
        if as_dict(quoted := unquote(button[1])):
            return quoted
    rows = {key: html.unescape(BREAK.sub("\n", value)) for key, value in ROW.findall(block)}
    return json.dumps(rows) if rows else ""
