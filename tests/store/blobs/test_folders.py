import pytest

from store.blobs import bucket as module
from store.blobs.bucket import Bucket
from store.blobs.faults import MARK
from store.blobs.folders import LISTED, fetch_folder, put_folder, read_list, remove_folders
from store.errors import NoBucket
from tests.buckets import door_to

NAME, FILES = "versions/abc", {"lora.safetensors": b"weights" * 1000, "manifest.json": b"{}"}


@pytest.fixture
def bucket(bucket_url):
    made = Bucket(bucket_url)
    made.create(MARK, b"x")
    return made


def fetched(bucket, tmp_path, final="final"):
    is_there = fetch_folder(bucket, NAME, tmp_path / final, tmp_path / "scratch")
    assert list((tmp_path / "scratch").glob("*")) == []
    return is_there and {path.name: path.read_bytes() for path in (tmp_path / final).iterdir()}


def test_a_folder_comes_back_as_it_was_put(bucket, tmp_path):
    assert fetched(bucket, tmp_path) is False
    put_folder(bucket, NAME, FILES)
    put_folder(bucket, NAME, FILES)
    assert fetched(bucket, tmp_path) == FILES
    remove_folders(bucket, "versions")
    assert fetched(bucket, tmp_path) == FILES  # it is here
    assert fetched(bucket, tmp_path, "again") is False
    assert bucket.objects("versions") == []


def test_a_folder_without_its_list_is_not_there(bucket, tmp_path):
    put_folder(bucket, NAME, FILES)
    bucket.remove([f"{NAME}/{LISTED}"])
    assert read_list(bucket, NAME) is None
    assert fetched(bucket, tmp_path) is False
    put_folder(bucket, NAME, FILES | {"manifest.json": b"[]"})
    assert fetched(bucket, tmp_path) == FILES | {"manifest.json": b"[]"}


@pytest.mark.parametrize("damage", [b"Weights", None])
def test_an_altered_or_missing_file_is_never_half_fetched(damage, bucket, tmp_path):
    put_folder(bucket, NAME, FILES)
    bucket.remove([f"{NAME}/manifest.json"])
    if damage:
        bucket.write(f"{NAME}/manifest.json", damage)
    assert fetched(bucket, tmp_path) is False
    assert not (tmp_path / "final").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/passwd"])
def test_a_list_that_names_a_path_is_none(name, bucket):
    bucket.write(f"{NAME}/{LISTED}", f'{{"{name}": "0"}}'.encode())
    assert read_list(bucket, NAME) is None


def test_whatever_request_fails_the_folder_is_whole_or_not_there(s3_server, s3_url, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    bucket, n = Bucket(s3_url), 0
    while True:
        module._opened.cache_clear()
        with door_to(s3_server) as door:
            door.faults = [None] * n + [403] * 50
            try:
                put_folder(bucket, NAME, FILES)
            except NoBucket:
                door.faults = []
                assert fetched(bucket, tmp_path, f"after {n}") in (False, FILES)
                n += 1
                continue
            finally:
                door.faults = []
        break
    module._opened.cache_clear()
    assert n >= 7  # the list, then create and look for each of two files and the list
    assert fetched(bucket, tmp_path) == FILES
