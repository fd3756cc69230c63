import os
import threading
import time
from uuid import uuid4

import pytest

from store.blobs import bucket as module
from store.blobs.bucket import Bucket
from store.blobs.patience import patient
from store.errors import NoBucket
from tests.buckets import ask, door_to

NAME = "blobs/ab/abcd"


@pytest.fixture
def bucket(bucket_url):
    made = Bucket(bucket_url)
    made.create(module.MARK, b"x")
    return made


@pytest.fixture
def door(s3_server, s3_url, monkeypatch):
    """A door to a bucket, and the bucket behind it."""
    monkeypatch.setattr(module, "WAIT_S", 0.02)
    module._opened.cache_clear()
    with door_to(s3_server) as opened:
        yield opened, Bucket(s3_url)
    module._opened.cache_clear()


def test_the_server_of_these_tests_refuses_to_overwrite_when_asked_to(s3_server, s3_url):
    path = f"/{s3_url.split('/')[2]}/object"
    assert ask(s3_server, "PUT", path, b"1", {"If-None-Match": "*"})[0] == 200
    assert ask(s3_server, "PUT", path, b"2", {"If-None-Match": "*"})[0] == 412
    assert ask(s3_server, "GET", path)[1] == b"1"


def test_an_object_comes_back_as_it_was_written(bucket):
    for data in (b"", b"a picture", bytes(range(256)) * 100_000):
        bucket.write(NAME, data)
        assert bucket.read(NAME) == data
        assert bucket.find(NAME).size == len(data)


def test_create_never_overwrites(bucket):
    assert bucket.create(NAME, b"first") is True
    assert bucket.create(NAME, b"second") is False
    assert bucket.read(NAME) == b"first"


def test_what_is_not_there_is_said_so(bucket):
    assert bucket.find(NAME) is None
    with pytest.raises(FileNotFoundError):
        bucket.read(NAME)
    bucket.remove([NAME])


def test_objects_are_listed_by_folder_and_removed(bucket):
    for name in ("blobs/aa/1", "blobs/aa/2", "blobs/ab/3", "versions/x/y"):
        bucket.create(name, b"1")
    assert sorted(one.name for one in bucket.objects("blobs/aa")) == ["blobs/aa/1", "blobs/aa/2"]
    assert sorted(bucket.folders("blobs")) == ["blobs/aa", "blobs/ab"]
    assert bucket.folders("nothing") == []
    bucket.remove(["blobs/aa/1", "blobs/aa/1"])
    assert sorted(one.name for one in bucket.objects("blobs")) == ["blobs/aa/2", "blobs/ab/3"]


def test_put_writes_once(bucket):
    bucket.put(NAME, b"a picture")
    first = bucket.find(NAME).written
    bucket.put(NAME, b"a picture")
    assert bucket.find(NAME).written == first


def test_put_replaces_what_is_damaged_under_the_name(bucket):
    for damaged in (b"a pict", b"A PICTURE"):
        bucket.write(NAME, damaged)
        bucket.put(NAME, b"a picture")
        assert bucket.read(NAME) == b"a picture"


def test_put_writes_an_old_object_again_so_that_no_sweep_takes_it(bucket, monkeypatch):
    bucket.put(NAME, b"a picture")
    monkeypatch.setattr(module, "FRESH", module.timedelta(0))
    time.sleep(1.1 if bucket.folder is None else 0.01)  # S3 tells times in seconds
    first = bucket.find(NAME).written
    bucket.put(NAME, b"a picture")
    assert bucket.find(NAME).written > first


@pytest.mark.parametrize("faults", [[500], [503, 500], [409, 409], ["lost"], ["lost", 503], [429], [403, 500]])
def test_a_patient_process_puts_through_every_passing_fault(door, faults):
    opened, bucket = door
    assert bucket.find(NAME) is None
    opened.faults = list(faults)
    with patient(threading.Event()):
        bucket.put(NAME, b"a picture")
    assert opened.faults == []
    assert bucket.read(NAME) == b"a picture"


@pytest.mark.parametrize("faults", [[500], [503, 502], ["lost"]])
def test_a_page_reads_through_a_short_fault(door, faults):
    opened, bucket = door
    bucket.put(NAME, b"a picture")
    opened.faults = list(faults)
    assert bucket.read(NAME) == b"a picture"


def test_a_page_does_not_wait_for_a_server_that_says_nothing(door, monkeypatch):
    opened, bucket = door
    monkeypatch.setattr(module, "ANSWER_S", 0.3)
    opened.faults = ["silent"] * 9
    began = time.monotonic()
    with pytest.raises(NoBucket, match="does not answer"):
        bucket.read(NAME)
    assert time.monotonic() - began < 3


def test_while_a_bucket_is_away_pages_ask_it_only_now_and_then(door, monkeypatch):
    opened, bucket = door
    bucket.put(NAME, b"a picture")
    opened.is_shut = True
    for _ in range(5):
        with pytest.raises(NoBucket, match=r"does not answer \(503 Service Unavailable\)"):
            bucket.read(NAME)
    assert len([one for one in opened.asked if one.startswith("GET")]) <= 3
    opened.is_shut = False
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    assert bucket.read(NAME) == b"a picture"


def test_a_patient_process_waits_says_so_once_and_keeps_its_claims(door, caplog):
    opened, bucket = door
    opened.is_shut, kept = True, []
    caplog.set_level("INFO", "store.blobs.bucket")

    def meanwhile() -> None:
        kept.append(1)
        if len(kept) == 4:
            opened.is_shut = False

    with patient(threading.Event(), meanwhile):
        bucket.put(NAME, b"a picture")
    assert len(kept) == 4
    assert bucket.read(NAME) == b"a picture"
    said = [record.message for record in caplog.records]
    assert len(said) == 2
    assert "does not answer (503 Service Unavailable); this process keeps what it has" in said[0]
    assert said[1] == f"{bucket.url} answers again"


def test_a_patient_process_does_not_wait_for_a_bucket_that_refused_it_from_the_first(door):
    opened, bucket = door
    opened.faults = [403] * 9
    with patient(threading.Event()), pytest.raises(NoBucket, match="refuses access"):
        bucket.read(NAME)
    opened.faults = []
    with patient(threading.Event()):
        bucket.put(NAME, b"a picture")
        opened.faults = [403] * 3
        assert bucket.read(NAME) == b"a picture"


def test_a_patient_process_stops_when_it_is_asked_to(door):
    opened, bucket = door
    opened.is_shut, stop = True, threading.Event()
    with patient(stop, stop.set), pytest.raises(NoBucket):
        bucket.put(NAME, b"a picture")


@pytest.mark.parametrize("status", [401, 403])
def test_refused_access_is_one_sentence(door, status):
    opened, bucket = door
    opened.faults = [status] * 9
    with pytest.raises(NoBucket, match=r"refuses access; check the keys") as error:
        bucket.read(NAME)
    assert "\n" not in str(error.value)


def test_a_bucket_that_does_not_exist_is_no_lost_picture(s3_server):
    bucket = Bucket(f"s3://none-{uuid4().hex}")
    for ask_it in (lambda: bucket.read(NAME), lambda: bucket.create(NAME, b"x"), lambda: bucket.objects("blobs")):
        with pytest.raises(NoBucket, match="does not exist; make it"):
            ask_it()


def test_http_is_spoken_only_where_the_environment_says_so(s3_url, monkeypatch):
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    module._opened.cache_clear()
    with pytest.raises(NoBucket, match="AWS_ALLOW_HTTP=true"):
        Bucket(s3_url).read(NAME)
    module._opened.cache_clear()


def test_an_account_without_a_name_is_asked_for(monkeypatch):
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    with pytest.raises(NoBucket, match="AZURE_STORAGE_ACCOUNT_NAME"):
        Bucket("az://pictures").read(NAME)


def test_nothing_is_written_where_a_shared_folder_is_not_mounted_any_more(tmp_path):
    bucket = Bucket(f"file://{tmp_path}/shared")
    bucket.create(module.MARK, b"x")
    (tmp_path / "shared" / module.MARK).unlink()
    with pytest.raises(NoBucket, match="mount it again"):
        bucket.put(NAME, b"a picture")
    assert [path for path in (tmp_path / "shared").rglob("*") if path.is_file()] == []


def test_a_forked_process_is_told_instead_of_waiting_for_ever(bucket, exit_code_of):
    bucket.put(NAME, b"a picture")

    def read() -> None:
        with pytest.raises(NoBucket, match="forked process"):
            bucket.read(NAME)

    assert exit_code_of(read) == 0
    assert bucket.read(NAME) == b"a picture"
