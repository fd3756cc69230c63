"""Backups of a store whose files are in a bucket, and restores into one."""

import shutil
import tarfile

import pytest

from store.archive.backup import backup
from store.archive.restore import restore
from store.blobs.cached import object_name
from store.blobs.faults import MARK
from store.blobs.folders import put_folder
from store.errors import NoBucket, OtherStore
from store.files import remove_folder, sha256_of
from store.layout import layout_of, version_name
from store.migrate import open_store
from store.settings import Settings
from tests.store.archive.archives import LORA


@pytest.fixture
def in_bucket(bucket_url, fill, publish_version, empty_store, tmp_path):
    """A store with six pictures and one version in a bucket, and nothing of them on this machine."""
    settings = Settings(data_dir=tmp_path / "shared store", blobs=bucket_url, _env_file=None)
    settings.data_dir.mkdir()
    shutil.copy(empty_store, settings.data_dir)
    engine, layout = open_store(settings), layout_of(settings)
    fill(engine, put=layout.blobs.put)
    put_folder(layout.bucket, version_name(sha256_of(LORA)), {"adapter.safetensors": LORA, "card.md": b"# v1"})
    publish_version(engine, 1, sha256=sha256_of(LORA))
    engine.dispose()
    remove_folder(settings.data_dir / "fetched")
    return settings


def members(archive):
    with tarfile.open(archive) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar if one.name not in ("backup.json", "naysayer.db")}


def test_a_backup_of_a_bucket_is_that_of_a_folder(in_bucket, settings, tmp_path):
    report = backup(in_bucket, tmp_path / "bucket.tar")
    backup(settings, tmp_path / "folder.tar")
    assert members(tmp_path / "bucket.tar") == members(tmp_path / "folder.tar")
    assert (report.images, report.versions, report.files, report.missing) == (6, 2, 1 + 12 + 2, ())


def test_a_backup_restores_into_a_folder_and_into_a_bucket(in_bucket, elsewhere, s3_url, tmp_path):
    backup(in_bucket, tmp_path / "one.tar")
    assert restore(tmp_path / "one.tar", elsewhere).missing == ()
    backup(elsewhere, tmp_path / "two.tar")
    again = Settings(data_dir=tmp_path / "again", blobs=f"{s3_url}/again", _env_file=None)
    assert restore(tmp_path / "two.tar", again).missing == ()
    assert not (again.data_dir / "blobs").exists()
    open_store(again).dispose()
    backup(again, tmp_path / "three.tar")
    assert members(tmp_path / "three.tar") == members(tmp_path / "two.tar") == members(tmp_path / "one.tar")


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_what_the_bucket_has_lost_is_named_and_the_rest_saved(harm, in_bucket, tmp_path):
    bucket, names = layout_of(in_bucket).bucket, [object_name(sha256_of(f"picture {n}".encode())) for n in (1, 4)]
    names.append(f"{version_name(sha256_of(LORA))}/adapter.safetensors")
    for name in names:
        bucket.remove([name]) if harm == "gone" else bucket.write(name, b"changed")
    report = backup(in_bucket, tmp_path / "one.tar")
    assert set(report.missing) == {*names[:2], version_name(sha256_of(LORA))}
    assert len(members(tmp_path / "one.tar")) == 10 + 1


def test_a_restore_leaves_another_stores_bucket_and_the_folder_alone(archive, s3_url, tmp_path):
    other = Settings(data_dir=tmp_path / "other", blobs=s3_url, _env_file=None)
    open_store(other).dispose()
    mine = Settings(data_dir=tmp_path / "mine", blobs=s3_url, _env_file=None)
    with pytest.raises(OtherStore):
        restore(archive, mine)
    assert not mine.data_dir.exists()
    assert [one.name for one in layout_of(other).bucket.objects("")] == [MARK]


def test_nothing_is_left_of_a_backup_when_the_bucket_is_away(in_bucket, tmp_path, monkeypatch):
    monkeypatch.setattr("store.blobs.bucket.Bucket.objects", lambda *_: (_ for _ in ()).throw(NoBucket("away")))
    before = set(tmp_path.iterdir())
    with pytest.raises(NoBucket):
        backup(in_bucket, tmp_path / "one.tar")
    assert set(tmp_path.iterdir()) == before
