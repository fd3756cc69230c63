import io

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image

from trainer.base.vae import decode_latents, encode_picture, from_model_scale, to_model_scale, upcast_where_needed
from trainer.world import Scene, draw


def tiny_vae(**config: object) -> AutoencoderKL:
    return AutoencoderKL(block_out_channels=(4,), norm_num_groups=2, scaling_factor=0.5, **config)


def png_of(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_a_picture_comes_back_from_its_latents(base):
    picture = draw(Scene("cat", "red", "mint"), np.random.default_rng(0))
    mean, std = encode_picture(base, png_of(picture))
    assert mean.shape == std.shape == (4, 16, 16)
    (again,) = decode_latents(base, mean[None])
    assert np.abs(np.asarray(again, float) - np.asarray(picture, float)).mean() < 8


def test_the_posterior_has_a_spread_and_is_kept_as_float16(base):
    mean, std = encode_picture(base, png_of(Image.new("RGB", (64, 64), "white")))
    assert mean.dtype == std.dtype == torch.float16
    assert std.min() >= 0 and std.max() > 0


def test_only_pictures_are_decoded(base):
    with pytest.raises(OSError, match="cannot identify"):
        encode_picture(base, b"%!PS-Adobe-3.0 EPSF-3.0")


@pytest.mark.parametrize("config", [{}, {"latents_mean": [1.0, 2, 3, 4], "latents_std": [2.0, 4, 8, 16]}])
def test_the_two_scales_are_each_others_inverse(config):
    vae, latents_BCHW = tiny_vae(**config), torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(from_model_scale(vae, to_model_scale(vae, latents_BCHW)), latents_BCHW)


def test_the_models_scale_takes_off_each_channels_mean_and_spread():
    vae = tiny_vae(latents_mean=[1.0, 2, 3, 4], latents_std=[2.0, 4, 8, 16])
    scaled = to_model_scale(vae, torch.full((1, 4, 1, 1), 5.0))
    assert scaled.flatten().tolist() == [1, 0.375, 0.125, 0.03125]


@pytest.mark.parametrize(
    ("dtype", "overflows", "inside"),
    [
        (torch.float16, True, torch.float32),
        (torch.float16, False, torch.float16),
        (torch.bfloat16, True, torch.bfloat16),
    ],
)
def test_only_a_vae_that_float16_overflows_is_in_float32_for_a_while(dtype, overflows, inside):
    vae = tiny_vae(force_upcast=overflows).to(dtype)
    with pytest.raises(KeyboardInterrupt), upcast_where_needed(vae):
        assert vae.dtype is inside
        raise KeyboardInterrupt
    assert vae.dtype is dtype
