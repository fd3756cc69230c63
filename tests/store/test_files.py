import contextlib
import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from store.errors import BadRequest, Busy, DamagedStore
from store.files import (
    Blobs,
    expand_home,
    make_folder,
    only_one,
    put_in_place,
    read_toml,
    remove_folder,
    sha256_of,
    sha256_of_file,
    write_file,
)
from store.layout import layout_of
from store.settings import Settings
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from store.files import only_one
with only_one(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(600)
"""


class FailingDisk:
    """Makes the n-th call that reaches the disk fail with ENOSPC, and counts the calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails_at: int) -> None:
        self.calls, self.fails_at = 0, fails_at
        for owner, name in [(os, "fsync"), (os, "open"), (Path, "mkdir"), (Path, "open")]:
            self._guard(monkeypatch, owner, name)
        for owner, name in [(Path, "rename"), (Path, "replace")]:
            self._guard(monkeypatch, owner, name)

    def _guard(self, monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
        real = getattr(owner, name)

        def call(*arguments: object, **options: object) -> object:
            self.calls += 1
            if self.calls == self.fails_at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, call)


def at_every_call(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], check: Callable[[], None]) -> int:
    """Runs `act` with a disk that fails at call 1, 2, … until it passes; `check` follows each. The failures."""
    for n in range(1, 100):
        with monkeypatch.context() as patch:
            disk = FailingDisk(patch, n)
            with contextlib.suppress(OSError):
                act()
        check()
        if disk.calls < n:
            return n - 1
    raise AssertionError("it never passed")


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_blob_comes_back_as_it_was_put(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    for data in (b"", b"a picture", bytes(range(256)) * 1000):
        assert blobs.get(blobs.put(data)) == data


def test_a_blob_is_named_by_its_hash_and_stored_once(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    sha256 = blobs.put(b"a picture")
    first = blobs.path(sha256).stat().st_mtime_ns
    assert blobs.put(b"a picture") == sha256 == hashlib.sha256(b"a picture").hexdigest()
    assert blobs.path(sha256).stat().st_mtime_ns == first
    assert names(tmp_path) == [f"{sha256[:2]}/{sha256}"]


def test_a_damaged_or_missing_blob_is_refused(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    sha256 = blobs.put(b"a picture")
    blobs.path(sha256).write_bytes(b"a pictuRe")
    with pytest.raises(DamagedStore, match="naysayer restore"):
        blobs.get(sha256)
    blobs.path(sha256).unlink()
    with pytest.raises(DamagedStore, match="missing"):
        blobs.get(sha256)


@pytest.mark.parametrize(
    "name", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "../" * 21 + "a", "/etc/passwd", "a" * 63 + "\0"]
)
def test_a_name_that_is_no_hash_never_becomes_a_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a SHA-256"):
        Blobs(tmp_path).path(name)


def test_a_full_disk_leaves_a_whole_blob_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs, data = Blobs(tmp_path / "blobs"), b"a picture" * 1000
    sha256 = sha256_of(data)

    def check() -> None:
        found = names(tmp_path)
        assert found in ([], [f"blobs/{sha256[:2]}/{sha256}"])
        if found:
            assert blobs.get(sha256) == data
            remove_folder(tmp_path / "blobs")

    assert at_every_call(monkeypatch, lambda: blobs.put(data), check) >= 5
    assert blobs.get(blobs.put(data)) == data


def test_a_full_disk_leaves_the_old_file_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def check() -> None:
        assert names(tmp_path) == ["file"]
        assert path.read_bytes() in (b"old", b"new")

    assert at_every_call(monkeypatch, lambda: write_file(path, b"new"), check) >= 4
    assert path.read_bytes() == b"new"


def test_a_full_disk_leaves_a_whole_folder_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staging, final = tmp_path / "staging", tmp_path / "final"

    def publish() -> None:
        staging.mkdir()
        write_file(staging / "one", b"1")
        write_file(staging / "two", b"2")
        put_in_place(staging, final)

    def check() -> None:
        assert not final.exists() or names(final) == ["one", "two"]
        remove_folder(staging)
        remove_folder(final)

    assert at_every_call(monkeypatch, publish, check) >= 12
    publish()
    assert names(tmp_path) == ["final/one", "final/two"]


def test_a_staging_folder_is_on_the_disk_before_its_new_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging, final, done = tmp_path / "staging", tmp_path / "final", []
    staging.mkdir()
    (staging / "one").write_bytes(b"1")
    (staging / "two").write_bytes(b"2")
    inodes = {path.name: path.stat().st_ino for path in (staging / "one", staging / "two", staging, tmp_path)}
    fsync, rename = os.fsync, Path.rename

    def record_fsync(descriptor: int) -> None:
        fsync(descriptor)
        done.append(next(name for name, inode in inodes.items() if inode == os.fstat(descriptor).st_ino))

    def record_rename(path: Path, target: Path) -> Path:
        done.append("renamed")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "rename", record_rename)
    put_in_place(staging, final)
    assert done == ["one", "two", "staging", "renamed", tmp_path.name]


def test_a_finished_folder_is_never_overwritten(tmp_path: Path) -> None:
    for name in ("staging", "final"):
        (tmp_path / name).mkdir()
        write_file(tmp_path / name / "file", name.encode())
    with pytest.raises(OSError, match="not empty"):
        put_in_place(tmp_path / "staging", tmp_path / "final")
    assert (tmp_path / "final" / "file").read_bytes() == b"final"


def test_the_new_name_is_flushed_up_to_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed, real = set(), os.fsync

    def fsync(descriptor: int) -> None:
        flushed.add(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    blobs = Blobs(tmp_path / "data" / "blobs")
    make_folder(tmp_path / "data")
    path = blobs.path(blobs.put(b"a picture"))
    must = [path, path.parent, blobs.root, blobs.root.parent, tmp_path]
    assert [folder.name for folder in must if folder.stat().st_ino not in flushed] == []


def test_threads_may_put_the_same_blob_at_once(tmp_path: Path) -> None:
    blobs, errors = Blobs(tmp_path), []
    start = threading.Barrier(8)

    def put() -> None:
        try:
            for n in range(30):
                start.wait()
                blobs.get(blobs.put(f"{n}".encode() * 50_000))
        except BaseException as error:
            errors.append(error)
            start.abort()

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (errors, len(names(tmp_path))) == ([], 30)


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 300_000)
    assert sha256_of_file(tmp_path / "file") == sha256_of(b"x" * 300_000)


def test_the_second_process_is_turned_away_at_once(tmp_path: Path) -> None:
    lock = tmp_path / "folder" / "lock"
    with holder_of(lock), pytest.raises(Busy, match="another retrain runs"), only_one(lock, "another retrain runs"):
        pass
    with only_one(lock, "busy"):
        pass


def test_the_lock_is_free_after_its_holder_was_killed(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with holder_of(lock) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
        with only_one(lock, "busy"):
            pass


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), only_one(tmp_path / "lock", "busy"):
        raise ZeroDivisionError
    with only_one(tmp_path / "lock", "busy"):
        pass


def test_asking_where_things_lie_makes_nothing(settings: Settings) -> None:
    layout = layout_of(settings)
    folders = [layout.blobs.root, layout.versions, layout.checkpoints, layout.cache, layout.version_folder("a")]
    assert all(folder.is_relative_to(settings.data_dir) for folder in [*folders, layout.retrain_lock])
    assert not settings.data_dir.exists()


@contextlib.contextmanager
def holder_of(lock: Path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_the_home_folder_replaces_only_a_leading_tilde(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert expand_home("~/store") == "/home/ada/store"
    assert expand_home("a~b/model") == "a~b/model"


@pytest.mark.parametrize("path", ["$HOME/store", "~nobody-here/store"])
def test_a_path_that_would_make_a_folder_by_mistake_is_refused(path):
    with pytest.raises(ValueError, match="write the path out"):
        expand_home(path)


def test_a_file_that_is_not_toml_is_named(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("a = 1\n")
    assert read_toml(path) == {"a": 1}
    path.write_bytes(b"a = '\xff'\n")
    with pytest.raises(BadRequest, match=r"a\.toml cannot be read as TOML"):
        read_toml(path)
