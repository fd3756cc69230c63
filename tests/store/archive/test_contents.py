import bz2
import gzip
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from store.archive.backup import backup
from store.archive.restore import restore
from store.errors import BadRequest, NewerStore
from store.files import sha256_of
from store.migrate import open_store
from store.settings import Settings
from tests.store.archive.archives import assert_refused_whole, contents, members, rewrite


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
