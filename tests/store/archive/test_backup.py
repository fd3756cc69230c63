import bz2
import errno
import gzip
import io
import json
import lzma
import os
import shutil
import subprocess
import tarfile
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
from store.errors import BadRequest, DamagedStore, NewerStore, StoreError
from store.files import sha256_of
from store.layout import layout_of
from store.migrate import _script, check_integrity, open_store
from store.settings import Settings
from store.tables import Image, Verdict, Vote

LORA = b"a small negative LoRA"


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


def test_a_backup_is_restored_into_a_mounted_volume_that_keeps_its_mode(archive: Path, large_disk: Path) -> None:
    (large_disk / "lost+found").mkdir()
    large_disk.chmod(0o751)
    settings = Settings(data_dir=large_disk, _env_file=None)
    assert restore(archive, settings).images == 6
    assert large_disk.stat().st_mode & 0o777 == 0o751
    assert {path.name for path in large_disk.iterdir()} == {"lost+found", "naysayer.db", "blobs", "versions"}
    open_store(settings).dispose()


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


def test_a_folder_is_no_backup_and_a_file_no_data_folder(archive: Path, elsewhere: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="is a folder"):
        restore(tmp_path, elsewhere)
    with pytest.raises(BadRequest, match="is no folder"):
        restore(archive, Settings(data_dir=archive, _env_file=None))


def test_a_postgres_store_is_told_to_use_pg_dump(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, store_url="postgresql+psycopg://me:secret@host/db", _env_file=None)
    with pytest.raises(BadRequest, match="pg_dump") as caught:
        backup(settings, tmp_path / "backup.tar")
    assert "secret" not in str(caught.value)
    with pytest.raises(BadRequest, match="pg_dump"):
        restore(tmp_path / "backup.tar", settings)


def test_a_folder_with_something_in_it_is_never_touched(archive: Path, elsewhere: Settings) -> None:
    elsewhere.data_dir.mkdir(parents=True)
    (elsewhere.data_dir / "notes").write_text("mine")
    with pytest.raises(BadRequest, match="not empty"):
        restore(archive, elsewhere)
    assert everything(elsewhere.data_dir.parent) == {"data", "data/notes"}


def test_a_missing_backup_is_named(elsewhere: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"there is no backup .*absent\.tar"):
        restore(tmp_path / "absent.tar", elsewhere)


def test_a_backup_that_was_cut_is_refused(archive: Path, elsewhere: Settings) -> None:
    whole = archive.read_bytes()
    for share in (0, 0.01, 0.3, 0.7, 0.9):
        archive.write_bytes(whole[: int(share * len(whole))])
        assert_refused_whole(archive, elsewhere)


def test_a_change_to_any_file_of_a_backup_is_found(archive: Path, elsewhere: Settings) -> None:
    entries = members(archive)
    for n, (member, data) in enumerate(entries[1:], 1):
        middle = len(data) // 2
        changed = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        rewrite(archive, [*entries[:n], (member, changed), *entries[n + 1 :]])
        assert_refused_whole(archive, elsewhere)


def test_a_backup_that_lacks_a_file_is_refused(archive: Path, elsewhere: Settings) -> None:
    entries = members(archive)
    for n in range(len(entries)):
        rewrite(archive, entries[:n] + entries[n + 1 :])
        assert_refused_whole(archive, elsewhere)


@pytest.mark.parametrize("prefix", ["naysayer.db", "blobs/", "versions/"])
def test_a_file_that_a_row_names_must_be_listed(prefix: str, archive: Path, elsewhere: Settings) -> None:
    (first, _), *rest = members(archive)
    row = contents(archive)
    row["files"] = {name: sha256 for name, sha256 in row["files"].items() if not name.startswith(prefix)}
    rest = [entry for entry in rest if not entry[0].name.startswith(prefix)]
    rewrite(archive, [(first, json.dumps(row).encode()), *rest])
    assert_refused_whole(archive, elsewhere)


HOSTILE = [
    "../escaped",
    "/tmp/escaped",
    "blobs/../../escaped",
    "blobs/aa/x",
    "versions/.staging/x",
    "extra",
    "./x",
    "a\\b",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("is_listed", [True, False])
def test_a_hostile_name_is_refused(name: str, is_listed: bool, archive: Path, elsewhere: Settings) -> None:
    (first, body), *rest = members(archive)
    if is_listed:
        row = contents(archive)
        row["files"][name] = sha256_of(b"x")
        body = json.dumps(row).encode()
    rewrite(archive, [(first, body), *rest, (tarfile.TarInfo(name), b"x")])
    assert_refused_whole(archive, elsewhere)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_what_is_no_plain_file_is_refused(kind: bytes, archive: Path, elsewhere: Settings) -> None:
    entries = members(archive)
    entries[1][0].type, entries[1][0].linkname = kind, "/etc/passwd"
    rewrite(archive, entries)
    assert_refused_whole(archive, elsewhere)


def test_a_name_may_come_only_once(archive: Path, elsewhere: Settings) -> None:
    entries = members(archive)
    rewrite(archive, [*entries, entries[1]])
    assert_refused_whole(archive, elsewhere)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"format": 2}', b'{"format": 1, "files": {}}'),
        *(b"1", b"null", b'"backup"', b"true", b"1.5", b'[{"format": 1}]'),
    ],
)
def test_a_malformed_list_of_contents_is_refused(body: bytes, archive: Path, elsewhere: Settings) -> None:
    (first, _), *rest = members(archive)
    rewrite(archive, [(first, body), *rest])
    assert_refused_whole(archive, elsewhere)


@pytest.mark.parametrize("field", ["schema", "votes", "files", "missing"])
@pytest.mark.parametrize("value", [None, [1], {"naysayer.db": 1}, 1.5])
def test_a_field_of_the_wrong_kind_is_refused(field: str, value: object, archive: Path, elsewhere: Settings) -> None:
    (first, _), *rest = members(archive)
    rewrite(archive, [(first, json.dumps(contents(archive) | {field: value}).encode()), *rest])
    assert_refused_whole(archive, elsewhere)


def test_another_file_is_refused(archive: Path, elsewhere: Settings) -> None:
    archive.write_bytes(b"\0" * 10_240)
    assert_refused_whole(archive, elsewhere)


def test_a_backup_of_a_newer_naysayer_is_refused(settings: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    engine = open_store(settings)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    backup(settings, tmp_path / "backup.tar")
    assert_refused_whole(tmp_path / "backup.tar", elsewhere, NewerStore)


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
    begun.wait(30)
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
            begun.wait(30)


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


@pytest.mark.parametrize(
    ("compress", "program"), [(gzip.compress, "gunzip"), (lzma.compress, "unxz"), (bz2.compress, "bunzip2")]
)
def test_a_compressed_backup_is_answered_with_the_way_to_unpack_it(
    archive: Path, elsewhere: Settings, tmp_path: Path, compress: Callable[[bytes], bytes], program: str
) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(compress(archive.read_bytes()))
    with pytest.raises(BadRequest, match=f"unpack it with `{program}` first"):
        restore(packed, elsewhere)
    assert not elsewhere.data_dir.exists()


def test_files_that_this_user_may_not_read_are_not_lost(settings: Settings, tmp_path: Path, monkeypatch) -> None:
    open_store(settings).dispose()

    def forbid(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("store.archive.contents.sha256_of_file", forbid)  # root, who runs tests too, may read all
    with pytest.raises(StoreError, match="this user may not read it"):
        backup(settings, tmp_path / "backup.tar")
    assert not (tmp_path / "backup.tar").exists()
