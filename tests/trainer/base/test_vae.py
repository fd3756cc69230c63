import io

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image

from store.errors import ModelError
from tests.trainer.conftest import quick_settings
from trainer.base.model import load_base
from trainer.base.vae import (
    decode_latents,
    encode_picture,
    find_fault,
    from_model_scale,
    to_model_scale,
    upcast_where_needed,
)
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


LATENTS = torch.randn((2, 4, 16, 16), generator=torch.Generator().manual_seed(0)) * 0.5


def spoil(base, value: float) -> None:
    with torch.no_grad():
        base.pipe.vae.decoder.conv_out.bias.fill_(value)


def overflow_below_float32(layer: torch.nn.Module) -> None:
    """From now on the layer gives infinity in any type but float32, as SDXL's own VAE does in float16."""
    layer.register_forward_hook(lambda _m, _i, out: out if out.dtype == torch.float32 else out + torch.inf)


@pytest.mark.parametrize(
    ("value", "said"), [(float("nan"), "NaN or infinite"), (float("inf"), "NaN or infinite"), (-1e9, "a black picture")]
)
def test_a_vae_that_gives_no_picture_is_an_error_that_names_the_setting(own_base, value, said):
    spoil(own_base, value)
    with pytest.raises(ModelError, match=f"{said} for sound latents.*NAYSAYER_VAE"):
        decode_latents(own_base, LATENTS)


def test_one_black_picture_among_good_ones_is_seen():
    pixels = torch.zeros(2, 3, 4, 4)
    pixels[1] = -1.2
    assert find_fault(pixels) == "a black picture"
    pixels[1, 2, 0, 0] = -0.99
    assert find_fault(pixels) == ""


def test_a_black_picture_passes_where_a_guard_looks_at_it(own_base):
    spoil(own_base, -1e9)
    assert len(decode_latents(own_base, LATENTS, may_be_black=True)) == 2
    spoil(own_base, float("nan"))
    with pytest.raises(ModelError):
        decode_latents(own_base, LATENTS, may_be_black=True)


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_what_overflows_is_decoded_and_encoded_again_in_float32(tmp_path, dtype):
    half = load_base(quick_settings(tmp_path, dtype=dtype))
    vae = half.pipe.vae
    vae.register_to_config(force_upcast=False)
    overflow_below_float32(vae.decoder.conv_out)
    overflow_below_float32(vae.encoder.conv_out)
    for picture in decode_latents(half, LATENTS):
        assert np.asarray(picture).max() > 0
    assert encode_picture(half, png_of(Image.new("RGB", (64, 64), "white"))).is_finite
    assert vae.dtype is half.dtype


def test_a_picture_whose_latents_are_not_finite_is_an_error(own_base):
    with torch.no_grad():
        own_base.pipe.vae.encoder.conv_out.bias.fill_(float("nan"))
    with pytest.raises(ModelError, match=r"latents from the VAE hold NaN .*NAYSAYER_VAE"):
        encode_picture(own_base, png_of(Image.new("RGB", (64, 64), "white")))
