from uuid import uuid4

import pytest

from store.blobs.faults import MARK
from store.errors import DamagedStore, NoBucket, OtherStore, StoreError
from store.layout import layout_of
from store.migrate import open_store
from store.safety.bucket_mark import try_bucket
from store.settings import Settings


def settings_at(folder, url):
    return Settings(data_dir=folder, blobs=url, _env_file=None)


def opened(settings):
    engine = open_store(settings)
    engine.dispose()
    return engine


def test_a_bucket_belongs_to_the_first_store_that_uses_it(bucket_url, tmp_path):
    first, second = settings_at(tmp_path / "one", bucket_url), settings_at(tmp_path / "two", bucket_url)
    opened(second.model_copy(update={"blobs": ""}))
    opened(first)
    opened(first)
    with pytest.raises(OtherStore, match="belongs to another store than the database"):
        opened(second)
    third = settings_at(tmp_path / "three", bucket_url)
    with pytest.raises(DamagedStore, match="a new store needs another bucket"):
        opened(third)


def test_two_stores_share_a_bucket_in_different_folders(s3_url, tmp_path):
    opened(settings_at(tmp_path / "one", f"{s3_url}/one"))
    opened(settings_at(tmp_path / "two", f"{s3_url}/two"))


def test_an_empty_database_does_not_take_over_a_bucket_in_use(bucket_url, tmp_path):
    settings = settings_at(tmp_path / "one", bucket_url)
    opened(settings)
    (settings.data_dir / "naysayer.db").unlink()
    with pytest.raises(DamagedStore, match="holds the files of a store"):
        opened(settings)


def test_a_store_with_pictures_in_its_folder_is_not_begun_in_an_empty_bucket(
    bucket_url, settings, engine, fill, monkeypatch
):
    fill(engine, 3, put=layout_of(settings).blobs.put)
    with pytest.raises(DamagedStore, match=r"holds none of this store's pictures.*naysayer move --blobs"):
        opened(settings.model_copy(update={"blobs": bucket_url}))
    bucket = layout_of(settings.model_copy(update={"blobs": bucket_url})).bucket
    assert bucket.find(MARK) is None


def test_a_bucket_that_cannot_be_used_is_said_at_the_start(s3_server, tmp_path):
    with pytest.raises(NoBucket, match="does not exist; make it"):
        opened(settings_at(tmp_path / "one", f"s3://none-{uuid4().hex}"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("pictures", "no bucket's URL"),
        ("hdfs://pictures", "no bucket's URL"),
        ("s3://", "names no bucket"),
        ("s3://key:secret@pictures", "keys do not belong into the URL"),
        ("s3://pictures?region=eu", "keys do not belong into the URL"),
        ("file://host/folder", "three slashes"),
        ("file:///", "three slashes"),
        ("s3://pictures/../other", "write the path out"),
    ],
)
def test_a_url_that_is_none_is_refused(url, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        settings_at(tmp_path, url)


def test_a_bucket_is_tried_with_everything_that_a_store_does_there(bucket_url, s3_server, tmp_path):
    settings = settings_at(tmp_path / "one", bucket_url)
    assert try_bucket(opened(settings), layout_of(settings)) == (
        f"{bucket_url} can be written, read, listed and emptied"
    )
    assert layout_of(settings).bucket.objects("probes") == []
    local = settings_at(tmp_path / "local", "")
    assert try_bucket(opened(local), layout_of(local)) == ""


def test_a_program_that_was_started_without_the_bucket_is_refused(bucket_url, tmp_path):
    settings = settings_at(tmp_path / "one", bucket_url)
    opened(settings)
    with pytest.raises(StoreError, match=f"are in {bucket_url}; set NAYSAYER_BLOBS to it"):
        opened(settings.model_copy(update={"blobs": ""}))


@pytest.mark.postgres
def test_another_machine_without_the_bucket_is_refused(postgres_url, s3_url, fill, tmp_path):
    one = settings_at(tmp_path / "one", s3_url).model_copy(update={"store_url": postgres_url})
    engine = open_store(one)
    fill(engine, 3, put=layout_of(one).blobs.put)
    engine.dispose()
    two = one.model_copy(update={"data_dir": tmp_path / "two", "blobs": ""})
    with pytest.raises(StoreError, match="holds none of them; set NAYSAYER_BLOBS to the bucket of this store"):
        opened(two)
    opened(two.model_copy(update={"blobs": s3_url}))
