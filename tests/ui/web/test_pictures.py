"""Pictures at signed addresses."""

import pytest

from feedback.pool.damage import damaged_pictures
from feedback.sample.claims import record_images
from feedback.sample.prompts import add_prompts
from feedback.sample.work import Drawing, Work
from feedback.versions import begin
from store.blobs import bucket as module
from store.blobs.cached import object_name
from store.files import remove_folder
from store.layout import layout_of
from store.migrate import open_store
from store.tables import Origin
from tests.buckets import door_to
from tests.ui.conftest import png_of
from ui.web.pictures import IMAGES, image_path, image_url, send_image


@pytest.fixture
def stored(settings) -> str:
    """The hash of a picture in the store."""
    return layout_of(settings).blobs.put(png_of(3))


def test_a_picture_is_sent_as_it_is_and_browsers_may_keep_it(engine, settings, stored):
    answer = send_image(engine, settings, image_path(settings, stored).removeprefix(IMAGES))
    assert (answer.status_code, answer.media_type, answer.body) == (200, "image/png", png_of(3))
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_address_is_always_the_same_and_nobody_can_guess_another(engine, settings, stored):
    assert image_path(settings, stored) == image_path(settings, stored) == image_url(stored)
    for name in (stored, f"{stored}-", f"{stored}-{'0' * 32}", image_path(settings, "0" * 64).removeprefix(IMAGES)):
        assert send_image(engine, settings, name).status_code == 404


def test_a_file_that_is_no_picture_is_not_sent(engine, settings):
    latent = layout_of(settings).blobs.put(b"a latent")
    assert send_image(engine, settings, image_path(settings, latent).removeprefix(IMAGES)).status_code == 404


def test_a_bucket_that_is_away_is_no_damage_and_its_pictures_come_back(settings, s3_server, s3_url, monkeypatch):
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    module._opened.cache_clear()
    with door_to(s3_server) as door:
        shared = settings.model_copy(update={"blobs": s3_url})
        engine = open_store(shared)
        begin(engine, "builtin", "0" * 64)
        sha256 = layout_of(shared).blobs.put(png_of(3))
        add_prompts(engine, ["a"])
        work = Work(1, "a", 1, 0, Origin.sampled)
        record_images(engine, [(work, sha256, None)], Drawing("plain", 0.0, 3.0, 10, 64, 64))
        address = image_path(shared, sha256).removeprefix(IMAGES)
        remove_folder(shared.data_dir / "fetched")
        door.is_shut = True
        answer = send_image(engine, shared, address)
        assert answer.status_code == 503
        assert b"does not answer" in answer.body
        assert damaged_pictures(engine) == []
        door.is_shut = False
        assert send_image(engine, shared, address).body == png_of(3)
        layout_of(shared).bucket.remove([object_name(sha256)])
        remove_folder(shared.data_dir / "fetched")
        assert send_image(engine, shared, address).status_code == 404
        assert len(damaged_pictures(engine)) == 1
        engine.dispose()
    module._opened.cache_clear()
