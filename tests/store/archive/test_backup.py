import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlmodel import select

from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.archive.backup import backup
from store.archive.restore import restore
from store.archive.work import work_folder
from store.engine import reading
from store.errors import BadRequest, DamagedStore, StoreError
from store.files import sha256_of
from store.layout import layout_of
from store.migrate import check_integrity, open_store
from store.settings import Settings
from store.tables import Image, Verdict, Vote
from tests.store.archive.archives import LORA, everything
from tests.waiting import PATIENCE_S


def test_a_backup_leaves_one_file_and_nothing_else(settings: Settings, tmp_path: Path) -> None:
    before = everything(tmp_path)
    backup(settings, tmp_path / "backup.tar")
    assert {name for name in everything(tmp_path) - before if not name.endswith(("-wal", "-shm"))} == {"backup.tar"}


def test_what_no_row_names_is_left_out(settings: Settings, tmp_path: Path) -> None:
    layout = layout_of(settings)
    layout.blobs.put(b"drawn but never recorded")
    (layout.versions / ".staging-1").mkdir(parents=True)
    assert backup(settings, tmp_path / "backup.tar").files == 1 + 12 + 2


def test_a_backup_never_overwrites(archive: Path, settings: Settings) -> None:
    before = archive.read_bytes()
    with pytest.raises(BadRequest, match="never overwrites"):
        backup(settings, archive)
    assert archive.read_bytes() == before


def test_a_backup_of_nothing_is_refused(elsewhere: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="there is no store"):
        backup(elsewhere, tmp_path / "backup.tar")
    assert not (tmp_path / "backup.tar").exists()


@pytest.mark.parametrize("harm", ["changed", "gone", "a folder"])
@pytest.mark.parametrize("what", ["picture", "latent", "LoRA", "folder of a version", "all versions", "all pictures"])
def test_a_lost_file_is_named_and_the_rest_is_saved_and_restored(
    harm: str, what: str, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    layout = layout_of(settings)
    path = {
        "picture": layout.blobs.path(sha256_of(b"picture 0")),
        "latent": layout.blobs.path(sha256_of(b"latent 0")),
        "LoRA": layout.version_folder(sha256_of(LORA)) / "adapter.safetensors",
        "folder of a version": layout.version_folder(sha256_of(LORA)),
        "all versions": layout.versions,
        "all pictures": layout.blobs.root,
    }[what]
    was_file = path.is_file()
    remove(path)
    if harm == "changed" and was_file:
        path.write_bytes(b"changed")
    elif harm == "a folder" and was_file:
        path.mkdir()
    report = backup(settings, tmp_path / "second.tar")
    wanted = [f"versions/{sha256_of(LORA)}"] if what in ("LoRA", "folder of a version", "all versions") else []
    if what in ("picture", "latent"):
        wanted = [path.relative_to(settings.data_dir).as_posix()]
    assert list(report.missing) == wanted or (what == "all pictures" and len(report.missing) == 12)
    again = restore(tmp_path / "second.tar", elsewhere)
    assert again.missing == report.missing
    assert (again.images, again.versions) == (6, 2)
    open_store(elsewhere).dispose()


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def test_a_backup_lists_only_names_that_a_restore_takes(
    settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    folder = layout_of(settings).version_folder(sha256_of(LORA))
    for name in (".DS_Store", "._card.md", "a b", "naïve"):
        (folder / name).write_bytes(b"stray")
    (folder / "inner").mkdir()
    (folder / "link").symlink_to("/etc/hostname-that-is-not-there")
    (settings.data_dir / "versions" / ".DS_Store").write_bytes(b"stray")
    assert backup(settings, tmp_path / "second.tar").missing == ()
    restore(tmp_path / "second.tar", elsewhere)


def test_a_damaged_database_is_not_backed_up(settings: Settings, tmp_path: Path) -> None:
    database = settings.data_dir / "naysayer.db"
    sound = database.read_bytes()
    database.write_bytes(sound[:100] + b"\xa5" * (len(sound) - 100))
    with pytest.raises(DamagedStore, match="restore"):
        backup(settings, tmp_path / "second.tar")
    database.write_bytes(b"")
    with pytest.raises(DamagedStore, match="naysayer restore"):
        backup(settings, tmp_path / "second.tar")
    assert not (tmp_path / "second.tar").exists()


def test_what_a_killed_backup_left_goes_with_the_next_one_and_nothing_else_does(
    settings: Settings, tmp_path: Path, exit_code_of: Callable[..., int]
) -> None:
    assert exit_code_of(backup_and_die, settings, tmp_path / "killed.tar") == 9
    (left,) = tmp_path.glob(".naysayer-work-*")
    assert (left / "naysayer.db").exists()
    mine = tmp_path / ".naysayer-work-mine"
    mine.mkdir()
    (mine / "notes").write_text("mine")
    with work_folder(tmp_path) as held:  # of a program that still runs
        assert not left.exists()
        backup(settings, tmp_path / "second.tar")
        assert held.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"data", "second.tar", mine.name}


def backup_and_die(settings: Settings, target: Path) -> None:
    from store.archive import backup as module

    module._write_archive = lambda *arguments: os._exit(9)
    backup(settings, target)


def test_a_full_disk_is_told_and_leaves_nothing(settings: Settings, archive: Path, small_disk: Path) -> None:
    (small_disk / "filling").write_bytes(b"x" * 250_000)
    with pytest.raises(StoreError, match=r"was not (written|changed).*(No space left|full)"):
        backup(settings, small_disk / "backup.tar")
    assert [path.name for path in small_disk.iterdir()] == ["filling"]
    (small_disk / "filling").unlink()
    (small_disk / "data").mkdir()
    (small_disk / "filling").write_bytes(b"x" * 250_000)
    with pytest.raises(StoreError, match=r"was not restored.*No space left"):
        restore(archive, Settings(data_dir=small_disk / "data", _env_file=None))
    assert list((small_disk / "data").iterdir()) == []


def test_a_folder_is_no_backup_and_a_file_no_data_folder(archive: Path, elsewhere: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="is a folder"):
        restore(tmp_path, elsewhere)
    with pytest.raises(BadRequest, match="is no folder"):
        restore(archive, Settings(data_dir=archive, _env_file=None))


def test_a_postgres_store_is_restored_into_a_folder_and_then_moved(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, store_url="postgresql+psycopg://me:secret@host/db", _env_file=None)
    with pytest.raises(BadRequest, match="naysayer move --to") as caught:
        backup(settings, tmp_path / "backup.tar")
    assert "secret" not in str(caught.value)
    with pytest.raises(BadRequest, match="naysayer move --to"):
        restore(tmp_path / "backup.tar", settings)


def test_a_backup_under_four_writers_holds_a_prefix_of_the_votes(
    settings: Settings, fill: Callable, elsewhere: Settings, tmp_path: Path
) -> None:
    engine = open_store(settings)
    fill(engine, images=40, put=layout_of(settings).blobs.put)
    stop, begun = threading.Event(), threading.Barrier(5)
    acknowledged: dict[str, list[str]] = {f"rater {n}": [] for n in range(4)}
    threads = [threading.Thread(target=vote_until, args=(engine, r, a, begun, stop)) for r, a in acknowledged.items()]
    for thread in threads:
        thread.start()
    begun.wait(PATIENCE_S)
    known = {rater: len(requests) for rater, requests in acknowledged.items()}
    backup(settings, tmp_path / "backup.tar")
    stop.set()
    for thread in threads:
        thread.join()
    engine.dispose()
    restore(tmp_path / "backup.tar", elsewhere)
    copy = open_store(elsewhere)
    assert check_integrity(copy) == []
    with reading(copy) as session:
        kept = list(session.exec(select(Vote.request_id).order_by(Vote.id)))
        pictures = list(session.exec(select(Image.sha256)))
    copy.dispose()
    for rater, requests in acknowledged.items():
        mine = [request for request in kept if request.startswith(rater)]
        assert len(mine) >= known[rater] > 0
        assert mine[: len(requests)] == requests[: len(mine)]
    assert all(layout_of(elsewhere).blobs.get(sha256) for sha256 in pictures)


def vote_until(
    engine: Engine, rater: str, acknowledged: list[str], begun: threading.Barrier, stop: threading.Event
) -> None:
    for request in requests_of(rater):
        if stop.is_set():
            return
        [shown] = next_images(engine, rater, Terms(4, 60), count=1)
        verdict = Verdict.undo if len(acknowledged) % 2 else Verdict.reject
        [receipt] = record_votes(engine, rater, [Press(request, shown.image_id, verdict)], Terms(9, 60))
        assert not receipt.refused
        acknowledged.append(request)
        if len(acknowledged) == 5:
            begun.wait(PATIENCE_S)


def requests_of(rater: str) -> Iterator[str]:
    n = 0
    while True:
        yield f"{rater}-{n}"
        n += 1


def test_a_row_that_names_no_hash_is_named_as_lost(settings: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    engine = open_store(settings)
    for number, sha256 in ((1, "../../etc/passwd"), (2, "A" * 64)):
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE image SET sha256 = '{sha256}' WHERE id = {number}"))
    engine.dispose()
    missing = backup(settings, tmp_path / "second.tar").missing
    assert set(missing) == {"blobs/'../../etc/passwd'", f"blobs/{'A' * 64!r}"}
    assert restore(tmp_path / "second.tar", elsewhere).missing == missing


def test_files_that_this_user_may_not_read_are_not_lost(settings: Settings, tmp_path: Path, monkeypatch) -> None:
    open_store(settings).dispose()

    def forbid(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("store.archive.contents.sha256_of_file", forbid)  # root, who runs tests too, may read all
    with pytest.raises(StoreError, match="this user may not read it"):
        backup(settings, tmp_path / "backup.tar")
    assert not (tmp_path / "backup.tar").exists()
