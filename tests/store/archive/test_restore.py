import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import select

from store.archive.restore import restore
from store.engine import reading
from store.errors import BadRequest, DamagedStore, StoreError
from store.files import sha256_of
from store.layout import layout_of
from store.migrate import _script, open_store
from store.settings import Settings
from store.tables import Image
from tests.store.archive.archives import LORA, everything


def test_what_is_restored_is_what_was_backed_up(archive: Path, elsewhere: Settings) -> None:
    report = restore(archive, elsewhere)
    assert (report.presses, report.images, report.versions, report.files) == (0, 6, 2, 1 + 12 + 2)
    assert (report.schema, report.bytes) == (_script().get_current_head(), archive.stat().st_size)
    folder = layout_of(elsewhere).version_folder(sha256_of(LORA))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "adapter.safetensors": LORA,
        "card.md": b"# v1",
    }
    engine = open_store(elsewhere)
    with reading(engine) as session:
        pictures = list(session.exec(select(Image.sha256).order_by(Image.id)))
    assert [layout_of(elsewhere).blobs.get(sha256) for sha256 in pictures] == [
        f"picture {seed}".encode() for seed in range(6)
    ]
    engine.dispose()
    assert {name.split("/")[0] for name in everything(elsewhere.data_dir)} == {"naysayer.db", "blobs", "versions"}


def test_a_backup_may_be_restored_into_an_empty_folder(archive: Path, elsewhere: Settings) -> None:
    elsewhere.data_dir.mkdir(parents=True)
    restore(archive, elsewhere)
    assert (elsewhere.data_dir / "naysayer.db").exists()


def test_a_backup_is_restored_into_a_mounted_volume_that_keeps_its_mode(archive: Path, large_disk: Path) -> None:
    (large_disk / "lost+found").mkdir()
    large_disk.chmod(0o751)
    settings = Settings(data_dir=large_disk, _env_file=None)
    assert restore(archive, settings).images == 6
    assert large_disk.stat().st_mode & 0o777 == 0o751
    assert {path.name for path in large_disk.iterdir()} == {"lost+found", "naysayer.db", "blobs", "versions"}
    open_store(settings).dispose()


@pytest.mark.parametrize("part", ["blobs", "versions", "naysayer.db"])
def test_a_restore_killed_while_it_moves_can_be_done_again(
    part: str, archive: Path, elsewhere: Settings, exit_code_of: Callable[..., int]
) -> None:
    assert exit_code_of(restore_and_die_at, part, archive, elsewhere) == 9
    if part != "blobs":
        with pytest.raises(DamagedStore, match="naysayer restore"):
            open_store(elsewhere)
    assert restore(archive, elsewhere).images == 6
    assert {path.name for path in elsewhere.data_dir.iterdir()} == {"naysayer.db", "blobs", "versions"}
    open_store(elsewhere).dispose()


def restore_and_die_at(part: str, archive: Path, settings: Settings) -> None:
    rename = Path.rename

    def rename_or_die(path: Path, target: Path) -> Path:
        if path.name == part and target.parent == settings.data_dir:
            os._exit(9)
        return rename(path, target)

    Path.rename = rename_or_die  # type: ignore[method-assign]
    restore(archive, settings)


@pytest.mark.parametrize("part", ["blobs", "versions", "naysayer.db"])
def test_a_restore_that_cannot_move_takes_everything_back(
    part: str, archive: Path, elsewhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def rename_or_fail(path: Path, target: Path) -> Path:
        if path.name == part and target.parent == elsewhere.data_dir:
            raise OSError(errno.EIO, "the disk failed")
        return rename(path, target)

    elsewhere.data_dir.mkdir(parents=True)
    monkeypatch.setattr(Path, "rename", rename_or_fail)
    with pytest.raises(StoreError, match=r"was not restored.*the disk failed"):
        restore(archive, elsewhere)
    assert list(elsewhere.data_dir.iterdir()) == []


def test_settings_kept_for_the_store_to_come_are_no_hindrance(archive: Path, elsewhere: Settings) -> None:
    elsewhere.data_dir.mkdir(parents=True)
    (elsewhere.data_dir / "naysayer.toml").write_text("seed = 3\n")
    restore(archive, elsewhere)
    assert (elsewhere.data_dir / "naysayer.toml").read_text() == "seed = 3\n"


def test_a_folder_with_something_in_it_is_never_touched(archive: Path, elsewhere: Settings) -> None:
    elsewhere.data_dir.mkdir(parents=True)
    (elsewhere.data_dir / "notes").write_text("mine")
    with pytest.raises(BadRequest, match="not empty"):
        restore(archive, elsewhere)
    assert everything(elsewhere.data_dir.parent) == {"data", "data/notes"}


def test_a_missing_backup_is_named(elsewhere: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"there is no backup .*absent\.tar"):
        restore(tmp_path / "absent.tar", elsewhere)


def test_what_commands_and_desktops_left_where_the_store_was_does_not_hinder_a_restore(
    archive: Path, elsewhere: Settings
) -> None:
    elsewhere.data_dir.mkdir(parents=True)
    for name in ("cron.log", "retrain.lock", "worker.lock", "retrain.jsonl", "naysayer.db.line", ".DS_Store"):
        (elsewhere.data_dir / name).write_text("left")
    assert restore(archive, elsewhere).images == 6
    assert (elsewhere.data_dir / "cron.log").read_text() == "left"


def test_a_restore_names_what_is_in_its_way(archive: Path, elsewhere: Settings) -> None:
    open_store(elsewhere).dispose()
    for name in ("a.png", "b.png"):
        (elsewhere.data_dir / name).touch()
    with pytest.raises(BadRequest, match=r"it holds a\.png, b\.png, blobs, naysayer\.db and \d more.*move its content"):
        restore(archive, elsewhere)
