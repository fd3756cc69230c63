import shutil
from datetime import timedelta

import pytest

from store.archive import orphans
from store.archive.orphans import sweep
from store.errors import BadRequest, StoreError
from store.layout import layout_of
from store.migrate import open_store
from store.settings import Settings


@pytest.fixture
def shared(bucket_url, fill, empty_store, tmp_path, monkeypatch):
    """An engine and a layout: twelve blobs that rows name, two that none does, and every object is old."""
    monkeypatch.setattr(orphans, "AGE", timedelta(seconds=-5))
    settings = Settings(data_dir=tmp_path / "store", blobs=bucket_url, _env_file=None)
    settings.data_dir.mkdir()
    shutil.copy(empty_store, settings.data_dir)
    engine, layout = open_store(settings), layout_of(settings)
    fill(engine, put=layout.blobs.put)
    for data in (b"drawn", b"but never recorded"):
        layout.blobs.put(data)
    yield engine, layout
    engine.dispose()


def names(layout):
    return {one.name for one in layout.bucket.objects("blobs")}


def test_what_no_row_names_is_removed_and_nothing_else(shared):
    engine, layout = shared
    before = names(layout)
    assert sweep(engine, layout, is_dry=True).words == "would remove 2 objects of 14 (0.0 MB) that no row names"
    assert names(layout) == before
    swept = sweep(engine, layout)
    assert swept.words == "removed 2 objects of 14 (0.0 MB) that no row names"
    assert names(layout) == before - {one.name for one in swept.found}
    assert len(names(layout)) == 12
    assert sweep(engine, layout).found == []


def test_what_is_young_is_left(shared, monkeypatch):
    engine, layout = shared
    monkeypatch.setattr(orphans, "AGE", timedelta(days=1))
    assert sweep(engine, layout).found == []


def test_an_object_that_is_put_again_meanwhile_stays(shared, monkeypatch):
    engine, layout = shared
    monkeypatch.setattr(orphans, "_is_old", lambda *_: False)
    assert len(sweep(engine, layout).found) == 2
    assert len(names(layout)) == 14


@pytest.mark.parametrize("rows", ["none", "another store's"])
def test_a_database_that_seems_the_wrong_one_removes_nothing(rows, shared, fill, tmp_path):
    _, layout = shared
    wrong = open_store(Settings(data_dir=tmp_path / "wrong", _env_file=None))
    if rows != "none":
        fill(wrong, images=2)
    with pytest.raises(StoreError, match="the database may be the wrong one, so nothing was removed"):
        sweep(wrong, layout)
    assert len(names(layout)) == 14
    wrong.dispose()


def test_without_a_bucket_there_is_nothing_to_sweep(tmp_path):
    local = Settings(data_dir=tmp_path / "local", _env_file=None)
    engine = open_store(local)
    with pytest.raises(BadRequest, match="no bucket to sweep"):
        sweep(engine, layout_of(local))
    engine.dispose()
