import io
from dataclasses import replace

import pytest
import torch
from PIL import Image
from safetensors.torch import load

from feedback.sample.work import Job
from feedback.versions import get_version
from store.errors import ModelError
from store.layout import layout_of
from store.migrate import open_store
from trainer.base.vae import decode_latents, from_model_scale, to_model_scale
from trainer.sample.sampler import Sampler, png_of, sample_latents

PROMPTS, SEEDS = ["a big red star on a blue background", "a small green hand", "a yellow flower"], [5, 6, 7]
JOBS = [Job(prompt, seed) for prompt, seed in zip(PROMPTS, SEEDS, strict=True)]


def test_a_seed_gives_the_same_picture_whatever_the_batch(base):
    together = sample_latents(base, JOBS, base.plain)
    alone = torch.cat([sample_latents(base, [Job(p, s)], base.plain) for p, s in zip(PROMPTS, SEEDS, strict=True)])
    torch.testing.assert_close(together, alone, atol=2e-3, rtol=1e-3)


def test_weights_and_length_change_a_picture_and_not_the_one_beside_it(base):
    long = ", ".join(["a small green hand"] * 40)
    jobs = [JOBS[0], Job("a (small:1.8) green hand", 6), Job(long, 6)]
    drawing = replace(base.plain, negative_prompt="a red star, " * 40)
    together = sample_latents(base, jobs, drawing)
    alone = torch.cat([sample_latents(base, [job], drawing) for job in jobs])
    torch.testing.assert_close(together, alone, atol=2e-3, rtol=1e-3)
    off = replace(base, settings=base.settings.model_copy(update={"prompt_weighting": "off"}))
    cut = sample_latents(off, jobs, drawing)
    assert all((one - other).abs().max() > 0.01 for one, other in zip(together, cut, strict=True))


def test_prompts_of_many_lengths_are_drawn_in_batches_whose_text_stays_short(own_base, rated, plain_version):
    jobs = [Job(" BREAK ".join(["a red star"] * parts), parts) for parts in (1, 2, 3, 5, 7)]
    sampler, seen = Sampler(own_base, layout_of(rated)), []

    def look(_unet, _args, given):
        seen.append(given["encoder_hidden_states"].shape[1])

    own_base.pipe.unet.register_forward_pre_hook(look, with_kwargs=True)
    together = sampler.draw_latents(plain_version, jobs)
    assert max(seen) <= 2 * 7 * 77
    alone = [sampler.draw_latents(plain_version, [job])[0] for job in jobs]
    torch.testing.assert_close(torch.stack(together), torch.stack(alone), atol=2e-3, rtol=1e-3)


def test_pictures_have_the_models_size_and_no_metadata(rated):
    engine, layout = open_store(rated), layout_of(rated)
    from trainer.base.model import load_base

    drawn = Sampler(load_base(rated), layout).draw(get_version(engine, 0), JOBS)
    engine.dispose()
    for one in drawn:
        picture = Image.open(io.BytesIO(one.png))
        assert (picture.format, picture.mode, picture.size, picture.info) == ("PNG", "RGB", (64, 64), {})
        assert load(one.latent)["latent"].shape == (4, 16, 16)


def test_a_kept_latent_decodes_to_the_picture_it_came_with(base):
    latents = sample_latents(base, JOBS[:1], base.plain)
    again = decode_latents(base, latents.half().float())[0]
    difference = torch.frombuffer(bytearray(decode_latents(base, latents)[0].tobytes()), dtype=torch.uint8).int()
    difference = difference - torch.frombuffer(bytearray(again.tobytes()), dtype=torch.uint8).int()
    assert difference.abs().max() <= 3


def test_latent_scaling_and_its_inverse_cancel(base):
    latents = torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(to_model_scale(base.pipe.vae, from_model_scale(base.pipe.vae, latents)), latents)


def test_non_finite_latents_are_an_error_not_a_black_picture(own_base):
    with torch.no_grad():
        own_base.pipe.unet.conv_out.bias.fill_(float("nan"))
    with pytest.raises(ModelError, match="NaN or infinite"):
        sample_latents(own_base, JOBS[:1], own_base.plain)


def test_every_step_of_a_drawing_is_told(base):
    told: list[tuple[int, int]] = []
    sample_latents(base, JOBS[:1], base.plain, on_step=lambda now: told.append((now.step, now.steps)))
    assert told == [(1, 2), (2, 2)]


def fail_above(base, rows: int) -> None:
    """From now on a UNet call of more rows fails as torch fails when memory runs out."""

    def refuse(_unet, args):
        if len(args[0]) > rows:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    base.pipe.unet.register_forward_pre_hook(refuse)


@pytest.fixture
def plain_version(rated):
    engine = open_store(rated)
    yield get_version(engine, 0)
    engine.dispose()


def test_what_does_not_fit_is_drawn_in_halves_and_the_size_that_fits_is_remembered(
    own_base, rated, plain_version, caplog
):
    sampler = Sampler(own_base, layout_of(rated))
    alone = [sampler.draw(plain_version, [Job(p, s)])[0].png for p, s in zip(PROMPTS, SEEDS, strict=True)]
    fail_above(own_base, 2)
    assert [drawn.png for drawn in sampler.draw(plain_version, JOBS)] == alone
    assert sampler.most == 1
    assert "3 pictures at once do not fit into memory; from now on 1 are drawn at once" in caplog.text


def test_when_not_even_one_picture_fits_the_error_says_what_is_smaller(own_base, rated, plain_version):
    fail_above(own_base, 1)
    with pytest.raises(ModelError, match=r"a single picture does not fit into memory .*NAYSAYER_VAE_DECODE=tiled"):
        Sampler(own_base, layout_of(rated)).draw(plain_version, JOBS)


def test_another_error_of_the_network_is_not_taken_for_a_lack_of_memory(own_base, rated, plain_version):
    def fail(_unet, _args):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    own_base.pipe.unet.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        Sampler(own_base, layout_of(rated)).draw(plain_version, JOBS)


def test_a_png_says_nothing_of_the_picture_it_was_made_from():
    picture = Image.new("RGB", (8, 8), "red")
    picture.info["parameters"] = "version 3"
    assert Image.open(io.BytesIO(png_of(picture))).info == {}
