import pytest
import torch

from trainer.builtin.vae import SDXL_SCALING_FACTOR, as_signal, encode, new_vae, norm_latents, train_vae
from trainer.world import pictures


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.from_numpy(pictures(12, 0.5, 0).pixels)


def test_pixels_become_a_signal_from_minus_one_to_one():
    pixels = torch.tensor([0, 255, 51], dtype=torch.uint8).expand(1, 64, 64, 3)
    assert as_signal(pixels)[0, :, 5, 7].tolist() == pytest.approx([-1, 1, -0.6])


def test_latents_are_a_quarter_of_the_picture_wide(pixels):
    assert encode(new_vae().eval(), pixels).shape == (12, 4, 16, 16)


def test_the_size_of_a_part_changes_no_latent(pixels):
    vae = new_vae().eval()
    torch.testing.assert_close(encode(vae, pixels, batch=5), encode(vae, pixels))


def test_training_brings_the_pictures_back(pixels):
    taught = train_vae(pixels[:4], 15, seed=0).cpu()
    torch.manual_seed(0)
    signal = as_signal(pixels[:4])
    error = [(_seen(vae, pixels[:4]) - signal).abs().mean() for vae in (new_vae().eval(), taught)]
    assert error[1] < 0.6 * error[0]


def test_norming_latents_changes_their_scale_and_not_the_pictures():
    torch.manual_seed(0)
    vae, pixels = new_vae().eval(), torch.from_numpy(pictures(12, 0.5, 0).pixels)
    before = _seen(vae, pixels)
    norm_latents(vae, pixels)
    latents = encode(vae, pixels)
    assert vae.config.scaling_factor == SDXL_SCALING_FACTOR
    assert latents.mean((0, 2, 3)).abs().max() < 1e-3
    assert latents.std((0, 2, 3)) == pytest.approx([1] * 4, abs=1e-3)
    assert torch.allclose(before, _seen(vae, pixels), atol=1e-3)


@torch.no_grad()
def _seen(vae, pixels):
    return vae.decode(encode(vae, pixels) / vae.config.scaling_factor).sample
