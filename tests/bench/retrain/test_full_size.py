"""The random base has SDXL's size."""

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from bench.retrain.full_size import UNET, VAE


def size_of(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_unet_and_vae_have_as_many_parameters_as_published() -> None:
    with torch.device("meta"):
        assert size_of(UNet2DConditionModel(**UNET)) == 2_567_463_684
        assert size_of(AutoencoderKL(**VAE)) == 83_653_863
