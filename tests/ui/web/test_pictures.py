"""Pictures at signed addresses."""

import pytest

from store.layout import layout_of
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
