"""What is handed out of a version: the files for one program, as a folder's files or as one zip."""

import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from io import RawIOBase
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from feedback.gate.evidence import failed_checks
from store.errors import BadRequest, DamagedStore
from store.layout import Layout, layout_of
from store.settings import Settings
from store.tables import Version
from ui.export.card import hub_card
from ui.export.comfyui_workflow import number_nodes
from ui.export.programs import how_in_comfyui, kohya_name, workflow_name
from ui.export.workflow import build_workflow

DIFFUSERS_FILE, KOHYA_FILE = "pytorch_lora_weights.safetensors", "naysayer_kohya.safetensors"
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
CHUNK = 1 << 20


class Format(StrEnum):
    """Who the files are for."""

    diffusers = "diffusers"
    kohya = "kohya"
    comfyui = "comfyui"


class Entry(NamedTuple):
    """A file to hand out: its name, and its bytes or where they are."""

    name: str
    content: bytes | Path

    def chunks(self) -> Iterator[bytes]:
        """The bytes, a piece at a time."""
        if isinstance(self.content, bytes):
            yield self.content
            return
        with self.content.open("rb") as file:
            yield from iter(lambda: file.read(CHUNK), b"")

    @property
    def size(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


def files_for(settings: Settings, version: Version, form: Format) -> list[Entry]:
    """The files of a version for one program.

    Raises BadRequest for the plain base, DamagedStore when the store's own file is not the published one.
    """
    layout = layout_of(settings)
    require_whole(layout, version)
    lora = lora_file(layout, version, form)
    if form is not Format.comfyui:
        return [lora, Entry("README.md", hub_card(version).encode())]
    workflow = json.dumps(number_nodes(build_workflow(settings, version)), indent=1).encode()
    return [lora, Entry(workflow_name(version), workflow), Entry("README.txt", how_in_comfyui(version).encode())]


def require_whole(layout: Layout, version: Version) -> None:
    """Raises BadRequest for the plain base, DamagedStore when the store's own file is not the published one."""
    if version.sha256 is None:
        raise BadRequest(f"v{version.number} is the plain base, which has no LoRA; export another version")
    if wrong := failed_checks(layout, version):
        raise DamagedStore(f"v{version.number} was not exported: {'; '.join(wrong)}; restore its files from a backup")


def lora_file(layout: Layout, version: Version, form: Format) -> Entry:
    """The LoRA as that program reads it."""
    folder = layout.fetch_version(version.sha256 or "")
    if form is Format.diffusers:
        return Entry(DIFFUSERS_FILE, folder / DIFFUSERS_FILE)
    return Entry(kohya_name(version), folder / KOHYA_FILE)


def zip_name(version: Version, form: Format) -> str:
    return f"naysayer-v{version.number}-{form.value}.zip"


def zip_chunks(entries: Iterable[Entry]) -> Iterator[bytes]:
    """A zip of the files, a piece at a time; the same files give the same bytes. Weights would not shrink."""
    sink = _Sink()
    with ZipFile(sink, "w", ZIP_STORED) as archive:
        for entry in entries:
            info = ZipInfo(entry.name, ZIP_EPOCH)
            info.create_system, info.external_attr, info.file_size = 3, 0o644 << 16, entry.size
            with archive.open(info, "w") as target:
                for chunk in entry.chunks():
                    target.write(chunk)
                    yield sink.take()
    yield sink.take()


class _Sink(RawIOBase):
    """Where the zip is written to; it keeps what was not taken yet, and nobody can go back in it."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, data: Any) -> int:
        self.written += data
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken, self.written = bytes(self.written), bytearray()
        return taken
