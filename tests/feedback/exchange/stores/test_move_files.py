"""Pictures and versions move into a bucket and back; a backup holds a store on PostgreSQL too."""

import pytest

from feedback.exchange.stores.move_files import move_files
from feedback.exchange.stores.saved import save
from feedback.versions import get_version
from store.archive.restore import restore
from store.errors import BadRequest, NoBucket, StoreError
from store.files import remove_folder, sha256_of
from store.layout import layout_of
from store.migrate import open_store
from store.safety.staging import put_version
from store.settings import Settings
from tests.feedback.exchange.stores.stored import count_all, figures, fill_store

LORA = b"weights" * 1000


@pytest.fixture
def filled(settings, engine, fill, publish_version):
    layout = layout_of(settings)
    fill(engine, 6, put=layout.blobs.put)
    put_version(layout, sha256_of(LORA), {"lora.safetensors": LORA, "manifest.json": b"{}"}, lambda _: None)
    publish_version(engine, 1, sha256=sha256_of(LORA))
    engine.dispose()
    return settings


def require_all(settings):
    """Opens the store, and reads every file that it should have."""
    engine, layout = open_store(settings), layout_of(settings)
    for number in range(6):
        for kind in ("picture", "latent"):
            data = f"{kind} {number}".encode()
            assert layout.blobs.get(sha256_of(data)) == data
    folder = layout.fetch_version(get_version(engine, 1).sha256)
    assert {path.name for path in folder.iterdir()} == {"lora.safetensors", "manifest.json"}
    assert (folder / "lora.safetensors").read_bytes() == LORA
    engine.dispose()


def test_files_move_into_a_bucket_and_back(filled, bucket_url):
    moved = move_files(filled, bucket_url)
    assert moved.words.startswith("copied the files of 7 pictures and versions\nset NAYSAYER_BLOBS to ")
    for folder in ("blobs", "versions"):
        remove_folder(filled.data_dir / folder)
    shared = filled.model_copy(update={"blobs": bucket_url})
    require_all(shared)
    with pytest.raises(StoreError, match="set NAYSAYER_BLOBS to it, or bring them here"):
        open_store(filled)
    remove_folder(filled.data_dir / "versions")
    assert move_files(shared, "folder").words.startswith("copied the files of 7 pictures and versions\nunset NAYSAYER_")
    require_all(filled)


def test_a_move_that_was_cut_off_is_no_store_and_goes_on(filled, s3_url, monkeypatch):
    shared = filled.model_copy(update={"blobs": s3_url})
    with monkeypatch.context() as patch:
        patch.setattr("store.archive.in_bucket.put_folder", lambda *_: (_ for _ in ()).throw(NoBucket("away")))
        with pytest.raises(NoBucket):
            move_files(filled, s3_url)
    with pytest.raises(StoreError, match="did not come to its end"):
        open_store(shared)
    require_all(filled)
    move_files(filled, s3_url)
    require_all(shared)


def test_what_was_lost_before_is_counted(filled, s3_url):
    layout_of(filled).blobs.path(sha256_of(b"picture 2")).unlink()
    assert "; 1 file lost or altered, and so not copied" in move_files(filled, s3_url).words


@pytest.mark.parametrize(("to", "said"), [("folder", "are in .*blobs already"), ("nowhere", "no bucket's URL")])
def test_a_move_to_nowhere_is_refused(to, said, filled):
    with pytest.raises(BadRequest, match=said):
        move_files(filled, to)


@pytest.mark.postgres
def test_a_backup_of_a_store_on_postgresql_restores_as_sqlite(postgres_url, s3_url, tmp_path):
    there = Settings(data_dir=tmp_path / "there", store_url=postgres_url, blobs=s3_url, _env_file=None)
    engine = open_store(there)
    fill_store(engine, "one", 24, 60)
    before, counts = figures(engine), count_all(engine)
    report = save(there, tmp_path / "all.tar")
    assert report.images == counts["image"]
    engine.dispose()
    here = Settings(data_dir=tmp_path / "here", _env_file=None)
    restore(tmp_path / "all.tar", here)
    back = open_store(here)
    assert figures(back) == before
    restarted = {"worker", "task", "run"}  # what only the old place could go on with
    assert {k: n for k, n in count_all(back).items() if k not in restarted} == {
        k: n for k, n in counts.items() if k not in restarted
    }
    back.dispose()
