"""Trays: folders in which the files of one browser lie until they are imported or given up.

They are gone with the process, and the oldest goes when there are too many: what was not imported can be sent again.
"""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from feedback.exchange.pictures.mapping import Mapped, own_mapping, read_mapping
from feedback.exchange.pictures.sources import PICTURES, Source, open_source
from feedback.metadata.files.fooocus_log import NAME as LOG
from feedback.metadata.files.sidecar import ENDINGS as SIDECARS
from store.archive.work import work_folder
from store.errors import BadRequest
from store.files import make_folder
from store.layout import Layout
from store.texts import find_control
from ui.web.receiving import MOST_AT_ONCE

MOST_TRAYS, MOST_FILES = 3, 5000
LISTS, ARCHIVE = (".csv", ".tsv", ".jsonl"), ".zip"
MOST_BYTES_OF_A_NAME, MOST_PARTS = 200, 8
ELSE = "for more, use `naysayer import pictures` on the server"


@dataclass
class Tray:
    """The files of one browser: `names` by their places, with their bytes."""

    folder: Path
    held: ExitStack
    names: dict[str, int] = field(default_factory=dict)

    def place(self, name: str, length: int) -> Path:
        """Where a file goes. Raises BadRequest for one that nothing here reads, or that is too much."""
        path = clean_place(name)
        if len(self.names) >= MOST_FILES and str(path) not in self.names:
            raise BadRequest(f"{MOST_FILES:,} files are here already; {ELSE}")
        if sum(self.names.values()) + length > MOST_AT_ONCE:
            raise BadRequest(f"{path.name} would make it more than {MOST_AT_ONCE >> 30} GiB together; {ELSE}")
        whole = self.folder / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        return whole

    def sources(self, root: str) -> list[Source]:
        """The loose pictures, and each archive. Raises BadRequest for an archive that is none."""
        archives = sorted(name for name in self.names if name.lower().endswith(ARCHIVE))
        return [open_source(self.folder, root), *(open_source(self.folder / one, f"{root}/{one}") for one in archives)]

    def mapped(self, source: Source, say: Callable[[str], None]) -> Mapped:
        """What lists say of a source's files: those beside it, then those inside an archive.

        `say` is told of each list inside. Raises BadRequest, which names the line, for one beside it.
        """
        lists = sorted(name for name in self.names if name.lower().endswith(LISTS))
        inside = None if source.path == self.folder else own_mapping(source, say)
        return read_mapping(*(self.folder / one for one in lists), then=inside)


class Trays:
    """The trays of this process by their secret names."""

    def __init__(self) -> None:
        self.open: OrderedDict[str, Tray] = OrderedDict()
        self.lock = threading.Lock()

    def begin(self, layout: Layout) -> str:
        """A new tray's name."""
        make_folder(layout.cache)
        held = ExitStack()
        folder = held.enter_context(work_folder(layout.cache))
        name = secrets.token_hex(16)
        with self.lock:
            self.open[name] = Tray(folder, held)
            old = [self.open.popitem(last=False)[1] for _ in range(len(self.open) - MOST_TRAYS)]
        for tray in old:
            tray.held.close()
        return name

    def get(self, name: str) -> Tray | None:
        """The tray of that name, if it is still there."""
        return self.open.get(name)

    def end(self, name: str) -> None:
        """Deletes a tray with its files."""
        with self.lock:
            tray = self.open.pop(name, None)
        if tray is not None:
            tray.held.close()


TRAYS = Trays()


def clean_place(name: str) -> PurePosixPath:
    """The place of a file inside a tray. Raises BadRequest for one outside, or that nothing here reads.

    >>> clean_place("day/a.png")
    PurePosixPath('day/a.png')
    """
    parts = name.replace("\\", "/").split("/")
    is_sound = all(part.strip(". ") and len(part.encode(errors="replace")) <= MOST_BYTES_OF_A_NAME for part in parts)
    if not is_sound or len(parts) > MOST_PARTS or find_control(name) or not name.isprintable():
        raise BadRequest(f"{name[:80]!r} is no name that a file can have here; rename it")
    path = PurePosixPath(*parts)
    if not (path.name.lower().endswith((*PICTURES, *SIDECARS, *LISTS, ARCHIVE)) or path.name == LOG):
        raise BadRequest(f"{path.name[:80]} is no picture, ZIP, list or text beside a picture")
    return path
