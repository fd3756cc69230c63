"""Latents and texts are encoded once and found again by content; a damaged file is made again."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from feedback.pool.pool import PoolItem
from feedback.retrain.manifest import freeze
from store.layout import layout_of
from store.migrate import open_store
from trainer.base.vae import decode_latents, encode_picture
from trainer.fit.cache import Cache, encode_prompts

PROMPT = "a big red star on a blue background"


@pytest.fixture
def cache(rated, base, tmp_path) -> Cache:
    return Cache(base, layout_of(rated).blobs, tmp_path / "cache")


@pytest.fixture
def again(rated, base, tmp_path) -> Cache:
    """A cache over the same folder, as a later retrain opens it."""
    return Cache(base, layout_of(rated).blobs, tmp_path / "cache")


@pytest.fixture
def sampled(rated, base) -> list[PoolItem]:
    """Items of a manifest, each with the sampler's own latent."""
    engine = open_store(rated)
    manifest = freeze(engine, base.sha256)
    engine.dispose()
    return list(manifest.items)


@pytest.fixture
def imported(sampled) -> list[PoolItem]:
    """The same pictures as if they had been imported: only pixels."""
    return [replace(item, latent_sha256=None) for item in sampled]


def files(cache: Cache) -> list[Path]:
    return sorted(path for path in cache.folder.rglob("*") if path.is_file())


def test_a_text_is_encoded_once_and_read_back_the_same(cache, again, base):
    made, read, fresh = cache.text(PROMPT), again.text(PROMPT), encode_prompts(base, [PROMPT])[0]
    assert torch.equal(made.hidden, read.hidden) and torch.equal(read.hidden, fresh.hidden)
    assert torch.equal(made.pooled, read.pooled) and torch.equal(read.pooled, fresh.pooled)
    assert len(files(cache)) == 1


def test_a_text_is_the_same_whatever_is_encoded_beside_it(base, sampled):
    prompts = list(dict.fromkeys(item.prompt for item in sampled))
    together = encode_prompts(base, prompts)
    for prompt, text in zip(prompts, together, strict=True):
        assert torch.equal(encode_prompts(base, [prompt])[0].hidden, text.hidden)


def test_a_text_that_is_read_otherwise_has_its_own_file_and_a_plain_one_keeps_its(rated, base, tmp_path):
    texts = [PROMPT, "a (red:1.5) star", "a red star, " * 40]
    off = replace(base, settings=base.settings.model_copy(update={"prompt_weighting": "off"}))
    first, later = (Cache(one, layout_of(rated).blobs, tmp_path / "cache") for one in (off, base))
    cut = [first.text(text) for text in texts]
    assert later.missing([], texts)[0] == texts[1:]
    read = [later.text(text) for text in texts]
    assert torch.equal(cut[0].hidden, read[0].hidden)
    assert [len(text.hidden) for text in cut] == [77] * 3
    assert [len(text.hidden) // 77 for text in read] == [1, 1, 3]
    assert not torch.equal(cut[1].hidden, read[1].hidden)
    assert len(files(later)) == 5


def test_a_picture_without_a_latent_is_drawn_anew_from_its_posterior(cache, base, imported):
    latent = cache.latent(imported[0])
    mean, std = encode_picture(base, cache.blobs.get(imported[0].sha256))
    assert torch.equal(latent.mean_CHW, mean) and torch.equal(latent.std_CHW, std)
    noise = torch.randn(mean.shape)
    torch.testing.assert_close(latent.sample(noise) - latent.sample(-noise), 2 * std.float() * noise)
    assert std.min() > 0


def test_the_posterior_is_in_the_scale_the_unet_works_in(cache, base, imported):
    """What the sampler would make of the mean is the picture again."""
    [again] = decode_latents(base, cache.latent(imported[0]).mean_CHW[None].float())
    with Image.open(BytesIO(cache.blobs.get(imported[0].sha256))) as picture:
        assert np.abs(np.asarray(picture, float) - np.asarray(again, float)).mean() < 12  # of 255


def test_a_sampled_picture_keeps_its_own_latent_under_any_noise(cache, sampled):
    latent = cache.latent(sampled[0])
    assert torch.equal(latent.sample(torch.randn(latent.mean_CHW.shape)), latent.mean_CHW.float())
    assert files(cache) == []


def test_a_retrain_encodes_only_what_is_new(cache, again, imported, sampled):
    prompts = [item.prompt for item in imported]
    assert cache.prepare(imported[:4], prompts[:4]) == 4 + len(set(prompts[:4]))
    assert again.prepare(imported[:6] + sampled, prompts[:4]) == 2
    assert again.prepare(imported[:6] + sampled, prompts[:4]) == 0


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-7], lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda _: b""]
)
def test_damage_is_noticed_and_made_good(cache, again, imported, damage):
    latent = cache.latent(imported[0])
    [path] = files(cache)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert torch.equal(again.latent(imported[0]).mean_CHW, latent.mean_CHW)
    assert path.read_bytes() == whole


def test_what_another_vae_made_is_not_used(cache, own_base, imported, rated, tmp_path):
    cache.prepare(imported[:2], [PROMPT])
    with torch.no_grad():
        next(own_base.pipe.vae.parameters()).add_(1)
    other = Cache(own_base, layout_of(rated).blobs, tmp_path / "cache")
    assert other.prepare(imported[:2], [PROMPT]) == 2  # the text is still good
    with torch.no_grad():
        next(own_base.pipe.text_encoder_2.parameters()).add_(1)
    other = Cache(own_base, layout_of(rated).blobs, tmp_path / "cache")
    assert other.prepare(imported[:2], [PROMPT]) == 1
