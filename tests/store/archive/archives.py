"""Backups as a test reads and changes them."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from store.archive.restore import restore
from store.errors import DamagedStore
from store.settings import Settings

LORA = b"a small negative LoRA"


def members(archive: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(archive) as tar:
        return [(member, tar.extractfile(member).read()) for member in tar]


def rewrite(archive: Path, entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    with tarfile.open(archive, "w") as tar:
        for member, data in entries:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def contents(archive: Path) -> dict:
    return json.loads(members(archive)[0][1])


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def assert_refused_whole(archive: Path, settings: Settings, error: type[Exception] = DamagedStore) -> None:
    with pytest.raises(error, match=r"nothing was restored|this program knows"):
        restore(archive, settings)
    assert list(settings.data_dir.parent.iterdir()) == []
    assert not list(archive.parent.rglob("escaped"))
