"""What people's checkpoints are: one file with the original key names, of half precision, of v-prediction, of Pony.

Each loads, draws and trains. The keys are those that real files carry; the numbers are random.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from bench.retrain.full_size import TEXT, TEXT_2, UNET, VAE, build_full_size
from feedback.sample.work import Job
from store.errors import RetrainError
from store.settings import Settings
from tests.trainer.checkpoints import narrow_folder, original_tensors, single_file
from tests.trainer.conftest import quick_settings
from tests.trainer.fitting import fit_here
from trainer.base.model import Base, load_base
from trainer.base.vae import decode_latents, encode_picture
from trainer.sample.sampler import png_of, sample_latents

NEEDED_GB = 18
FIRST = "first_stage_model."
PONY = {
    "modelspec.architecture": "stable-diffusion-xl-v1-base",
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.title": "Pony Diffusion V6 XL",
    "modelspec.prediction_type": "epsilon",
    "sd_merge_models": "{}",
}
ILLUSTRIOUS = {
    "modelspec.architecture": "stable-diffusion-xl-v1-base",
    "modelspec.title": "Illustrious-XL v2.0",
    "ss_base_model_version": "sdxl_base_v1-0",
    "ss_clip_skip": "2",
    "format": "pt",
}
LEFT_OVER = {
    "conditioner.embedders.0.transformer.text_model.embeddings.position_ids": torch.arange(77)[None],
    "conditioner.embedders.1.model.logit_scale": torch.tensor(4.6),
    "model_ema.decay": torch.tensor(0.9999),
    "denoiser.sigmas": torch.zeros(1000),
}
"""What merges and conversions leave in a file beside its weights."""


@pytest.fixture(scope="module")
def checkpoint(base: Base, tmp_path_factory) -> Path:
    """A single file in the original layout; its configuration is in the folder `cfg` beside it."""
    folder = tmp_path_factory.mktemp("checkpoint")
    return single_file(narrow_folder(base, folder / "cfg"), folder / "model.safetensors")


def as_it_is(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return tensors


def in_half(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def overflowing_in_half(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """In float16, and with a VAE whose activations only float32 holds: what follows them is normalised."""
    large = {name: tensors[name] * 1e5 for name in (FIRST + "decoder.conv_in.weight", FIRST + "encoder.conv_in.weight")}
    return in_half(tensors | large)


def predicting_v(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return tensors | {"v_pred": torch.tensor([]), "ztsnr": torch.tensor([])}


def merged(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return in_half(tensors | LEFT_OVER)


KINDS: dict[str, tuple[Callable[[dict[str, Tensor]], dict[str, Tensor]], dict[str, str], dict[str, object], str]] = {
    "SDXL": (as_it_is, {}, {}, "epsilon prediction, leading"),
    "half precision": (in_half, {}, {"dtype": "fp16"}, "epsilon"),
    "a VAE that half precision overflows": (overflowing_in_half, {}, {"dtype": "fp16"}, "epsilon"),
    "v-prediction by its keys": (predicting_v, {}, {}, "v-prediction with zero-terminal SNR"),
    "v-prediction when asked for": (as_it_is, {}, {"prediction_type": "v_prediction_zsnr"}, "v-prediction with zero"),
    "Pony": (merged, PONY, {}, "epsilon"),
    "Illustrious": (merged, ILLUSTRIOUS, {}, "epsilon"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_loads_draws_and_trains(checkpoint, rated, tmp_path, kind):
    change, header, how, prediction = KINDS[kind]
    file = tmp_path / "theirs.safetensors"
    save_file(change(load_file(checkpoint)), file, header or None)
    config = {"model": str(file), "model_config_source": str(checkpoint.parent / "cfg"), "guidance_scale": 3.0}
    settings = rated.model_copy(update=config | how | {"train_steps": 2})
    own = load_base(settings)
    assert prediction in own.prediction
    draws(own)
    if own.dtype is torch.float16:
        with pytest.raises(RetrainError, match="a CPU draws in fp16 but cannot train in it; set NAYSAYER_DTYPE"):
            trains(own, settings, tmp_path)
        own = load_base(settings.model_copy(update={"dtype": "fp32"}))
    trains(own, settings, tmp_path)


def test_the_vae_of_that_kind_does_overflow(checkpoint, tmp_path):
    file = tmp_path / "theirs.safetensors"
    save_file(overflowing_in_half(load_file(checkpoint)), file)
    config = {"model": str(file), "model_config_source": str(checkpoint.parent / "cfg"), "dtype": "fp16"}
    vae = load_base(quick_settings(tmp_path, **config, guidance_scale=3.0)).pipe.vae
    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0)).half()
    with torch.inference_mode():
        assert not torch.isfinite(vae.decode(latents).sample).all()
        assert torch.isfinite(vae.float().decode(latents.float()).sample).all()


def draws(own: Base) -> None:
    """Pictures that are neither black nor of one colour, and that the VAE reads back."""
    pictures = decode_latents(own, sample_latents(own, [Job("a (red:1.3) star", 1), Job("a green hand", 2)], own.plain))
    for picture in pictures:
        low, high = picture.convert("L").getextrema()
        assert high > 0 and high > low
        assert encode_picture(own, png_of(picture)).is_finite


def trains(own: Base, settings: Settings, folder: Path) -> None:
    """A LoRA that has moved and is finite."""
    weights = fit_here(settings, folder / "fit", base=own).weights
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())
    assert any(tensor.any() for name, tensor in weights.items() if "lora_B" in name)  # zero before the first step


def real_data() -> Path:
    folder = os.environ.get("NAYSAYER_REALDATA")
    if not folder:
        pytest.skip("NAYSAYER_REALDATA is not set: the real SDXL configuration and key listings are not at hand")
    return Path(folder)


def test_the_names_that_the_tests_write_are_those_of_a_published_checkpoint():
    with torch.device("meta"):
        full = SimpleNamespace(
            unet=UNet2DConditionModel(**UNET),
            vae=AutoencoderKL(**VAE),
            text_encoder=CLIPTextModel(CLIPTextConfig(**TEXT, projection_dim=768)),
            text_encoder_2=CLIPTextModelWithProjection(CLIPTextConfig(**TEXT_2, projection_dim=1280)),
        )
    written = original_tensors(full)
    text = (real_data() / "statedict_listings/aitoolkit_stable_diffusion_sdxl_keymap.json").read_text()
    listed = json.loads(text)
    published = {*listed["ldm_diffusers_keymap"], *listed["ldm_diffusers_operator_map"]}
    assert set(written) ^ published == {"conditioner.embedders.1.model.text_projection"}  # which the list leaves out


@pytest.mark.slow
@pytest.mark.full_size
@pytest.mark.timeout(2400)
@pytest.mark.skipif(
    psutil.virtual_memory().available < NEEDED_GB * 1e9, reason=f"the full-size model needs {NEEDED_GB} GB of memory"
)
def test_a_checkpoint_of_full_size_loads_draws_and_trains(rated, tmp_path):
    config, file = real_data() / "sdxl_config", tmp_path / "full.safetensors"
    pipe = build_full_size("bf16")
    tensors = original_tensors(pipe)
    del pipe
    try:
        save_file(tensors, file, PONY)
        del tensors
        how = {"model": str(file), "model_config_source": str(config), "dtype": "bf16", "lora_layers": "attention"}
        size = {"width_px": 128, "height_px": 128, "train_steps": 1, "train_batch": 2}
        settings = rated.model_copy(update=how | size)
        own = load_base(settings)
        draws(own)
        trains(own, settings, tmp_path)
    finally:
        file.unlink(missing_ok=True)
