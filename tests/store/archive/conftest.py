"""A store to back up, its backup, and small disks."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from store.archive.backup import backup
from store.files import sha256_of
from store.layout import layout_of
from store.migrate import open_store
from store.settings import Settings
from tests.store.archive.archives import LORA


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "elsewhere" / "data", _env_file=None)


@pytest.fixture(scope="module")
def packed(fill: Callable, publish_version: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with six pictures and one version, and a backup beside it."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("packed") / "data", _env_file=None)
    layout, engine = layout_of(settings), open_store(settings)
    fill(engine, put=layout.blobs.put)
    folder = layout.version_folder(sha256_of(LORA))
    folder.mkdir(parents=True)
    (folder / "adapter.safetensors").write_bytes(LORA)
    (folder / "card.md").write_bytes(b"# v1")
    publish_version(engine, 1, sha256=sha256_of(LORA))
    backup(settings, settings.data_dir.parent / "backup.tar")
    engine.dispose()
    return settings.data_dir.parent


@pytest.fixture
def archive(packed: Path, tmp_path: Path) -> Path:
    """A backup that the test may change."""
    return Path(shutil.copy(packed / "backup.tar", tmp_path))


@pytest.fixture
def settings(packed: Path, tmp_path: Path) -> Settings:
    """A store that the test may change, the one the backup was made of."""
    shutil.copytree(packed / "data", tmp_path / "data")
    return Settings(data_dir=tmp_path / "data", _env_file=None)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted volume of 300 KB, where this user may mount one."""
    disk = tmp_path / "volume"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(disk)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user cannot mount a volume")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def large_disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted volume, where this user may mount one; else a folder."""
    disk = tmp_path / "large"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=50m", "none", str(disk)]
    is_mounted = not os.geteuid() and not subprocess.run(command, capture_output=True).returncode
    yield disk
    if is_mounted:
        subprocess.run(["umount", str(disk)], check=True)
