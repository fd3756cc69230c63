import os
import threading
import time
from uuid import uuid4

import pytest

from store.blobs import cached
from store.blobs.bucket import Bucket
from store.blobs.cached import Cache, CachedBlobs, object_name
from store.blobs.faults import MARK
from store.errors import DamagedStore, MovedStore, NoBucket
from store.files import Blobs, make_folder, sha256_of


def blobs_at(url, folder, limit_bytes=10**9):
    make_folder(folder)
    blobs = CachedBlobs(Bucket(url), folder / "fetched", Cache((folder / "fetched", folder / "display"), limit_bytes))
    blobs.bucket.create(MARK, b"x")
    return blobs


@pytest.fixture
def blobs(bucket_url, tmp_path):
    return blobs_at(bucket_url, tmp_path / "one")


@pytest.fixture(params=["folder", "s3", "file"])
def any_blobs(request, tmp_path):
    """Blobs in a data folder, on an S3 server and in a shared folder: the same interface."""
    if request.param == "folder":
        return Blobs(tmp_path)
    url = request.getfixturevalue("s3_url") if request.param == "s3" else f"file://{tmp_path}/shared"
    return blobs_at(url, tmp_path / "one")


def test_a_blob_comes_back_as_it_was_put_wherever_it_is(any_blobs):
    for data in (b"", b"a picture", bytes(range(256)) * 1000):
        sha256 = any_blobs.put(data)
        assert sha256 == sha256_of(data)
        assert any_blobs.put(data) == sha256
        assert any_blobs.get(sha256) == data
        assert any_blobs.has(sha256)
    assert not any_blobs.has("0" * 64)
    with pytest.raises(DamagedStore, match="naysayer restore"):
        any_blobs.get("0" * 64)
    with pytest.raises(DamagedStore, match="no store has"):
        any_blobs.get("../etc/passwd")


def test_another_machine_sees_it_and_keeps_a_copy(blobs, bucket_url, tmp_path):
    sha256 = blobs.put(b"a picture")
    other = blobs_at(bucket_url, tmp_path / "two")
    assert not other.path(sha256).exists()
    assert other.get(sha256) == b"a picture"
    blobs.bucket.remove([object_name(sha256)])
    assert other.get(sha256) == b"a picture"


def test_a_copy_that_was_altered_is_fetched_again(blobs):
    sha256 = blobs.put(b"a picture")
    blobs.path(sha256).write_bytes(b"a pictuRe")
    assert blobs.get(sha256) == b"a picture"
    assert blobs.path(sha256).read_bytes() == b"a picture"


def test_an_object_that_is_lost_or_altered_is_damage_and_an_outage_is_not(blobs, monkeypatch):
    sha256 = blobs.put(b"a picture")
    blobs.path(sha256).unlink()
    blobs.bucket.write(object_name(sha256), b"a pictuRe")
    with pytest.raises(DamagedStore, match="does not have the content"):
        blobs.get(sha256)
    blobs.bucket.remove([object_name(sha256)])
    with pytest.raises(DamagedStore, match="has no object") as missing:
        blobs.get(sha256)
    assert missing.value.__cause__ is None  # else it would count as a passing fault
    away = CachedBlobs(Bucket(f"s3://none-{uuid4().hex}"), blobs.root, blobs.cache)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    with pytest.raises(NoBucket):
        away.get("1" * 64)


def test_nothing_is_kept_in_a_data_folder_that_was_moved_away(blobs, tmp_path):
    (tmp_path / "one").rename(tmp_path / "elsewhere")
    with pytest.raises(MovedStore):
        blobs.put(b"a picture")
    assert not (tmp_path / "one").exists()


def test_the_cache_keeps_its_limit_and_what_was_used_last(s3_url, tmp_path):
    blobs = blobs_at(s3_url, tmp_path / "one", limit_bytes=100_000)
    hashes = [blobs.put(os.urandom(10_000)) for _ in range(9)]
    for age, sha256 in enumerate(reversed(hashes)):
        at = time.time() - 10_000 - age
        os.utime(blobs.path(sha256), (at, at))
    blobs.get(hashes[0])  # the oldest is used now
    for _ in range(4):
        hashes.append(blobs.put(os.urandom(10_000)))
    held = [sha256 for sha256 in hashes if blobs.path(sha256).exists()]
    assert sum(blobs.path(sha256).stat().st_size for sha256 in held) <= 100_000
    assert hashes[0] in held
    assert hashes[-1] in held
    assert hashes[1] not in held
    assert all(sha256_of(blobs.get(sha256)) == sha256 for sha256 in hashes)


def test_display_copies_count_as_well(tmp_path):
    cache = Cache((tmp_path / "fetched", tmp_path / "display"), 10_000)
    for folder in cache.folders:
        for number in range(10):
            make_folder(folder / "ab")
            (folder / "ab" / str(number)).write_bytes(b"x" * 1000)
    cache.make_room()
    assert sum(path.stat().st_size for path in tmp_path.rglob("ab/*")) == 9_000


def test_readers_and_a_cache_that_is_always_full_agree(s3_url, tmp_path, monkeypatch):
    monkeypatch.setattr(cached, "LOOK_EVERY", 0.0)
    blobs = blobs_at(s3_url, tmp_path / "one", limit_bytes=30_000)
    hashes, errors = [blobs.put(os.urandom(9_000)) for _ in range(8)], []

    def read(first: int) -> None:
        try:
            for turn in range(30):
                sha256 = hashes[(first + turn) % len(hashes)]
                assert sha256_of(blobs.get(sha256)) == sha256
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_many_are_fetched_at_once(blobs, bucket_url, tmp_path):
    hashes = [blobs.put(f"{number}".encode()) for number in range(40)]
    other = blobs_at(bucket_url, tmp_path / "two")
    other.prepare([*hashes, "0" * 64])
    assert all(other.path(sha256).is_file() for sha256 in hashes)
