"""What checkpoints say of themselves. The keys are those that real files carry; the numbers are random."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from store.errors import ModelError
from store.settings import Settings
from tests.trainer.checkpoints import narrow_folder, refiner_folder, single_file, with_config
from tests.trainer.conftest import quick_settings
from trainer.base.declared import Header, Prediction, declared_prediction, family_of, prediction_words
from trainer.base.model import Base, load_base

NOTHING = torch.tensor([])
SCHEDULER = "scheduler/scheduler_config.json"


@pytest.fixture(scope="module")
def checkpoint(base: Base, tmp_path_factory) -> Path:
    """A single file in the original layout; its configuration is in the folder `cfg` beside it."""
    folder = tmp_path_factory.mktemp("checkpoint")
    return single_file(narrow_folder(base, folder / "cfg"), folder / "eps.safetensors")


def settings_for(checkpoint: Path, file: Path, tmp_path: Path, **changes: object) -> Settings:
    return quick_settings(tmp_path, model=str(file), model_config_source=str(checkpoint.parent / "cfg"), **changes)


def marked(checkpoint: Path, tmp_path: Path, keys: tuple[str, ...] = (), **header: str) -> Path:
    tensors = load_file(checkpoint) | {key: NOTHING for key in keys}
    save_file(tensors, tmp_path / "marked.safetensors", {k.replace("__", "."): v for k, v in header.items()})
    return tmp_path / "marked.safetensors"


def scheduler_of(checkpoint: Path, file: Path, tmp_path: Path, **changes: object) -> tuple[str, bool, str]:
    config = load_base(settings_for(checkpoint, file, tmp_path, **changes)).pipe.scheduler.config
    return config.prediction_type, bool(config.rescale_betas_zero_snr), config.timestep_spacing


EPSILON = ("epsilon", False, "leading")
V = ("v_prediction", False, "leading")
V_ZERO = ("v_prediction", True, "trailing")


@pytest.mark.parametrize(
    ("keys", "header", "wanted"),
    [
        ((), {}, EPSILON),
        (("v_pred",), {}, V),
        (("v_pred", "ztsnr"), {}, V_ZERO),
        (("model.diffusion_model.v_pred", "model.diffusion_model.ztsnr"), {}, V_ZERO),
        ((), {"modelspec__prediction_type": "v"}, V),
        ((), {"modelspec__prediction_type": "V-Prediction", "ss_zero_terminal_snr": "True"}, V_ZERO),
        ((), {"ss_v_parameterization": "true"}, V),
        ((), {"modelspec__prediction_type": "v", "modelspec__timestep_spacing": "trailing"}, (V[0], False, "trailing")),
        (("v_pred",), {"modelspec__prediction_type": "epsilon"}, V),
        ((), {"modelspec__prediction_type": "epsilon"}, EPSILON),
    ],
)
def test_the_scheduler_is_what_the_file_says(checkpoint, tmp_path, keys, header, wanted):
    file = marked(checkpoint, tmp_path, keys, **header)
    # Trailing timesteps without rescaled betas look distilled, unless a guidance is set.
    assert scheduler_of(checkpoint, file, tmp_path, guidance_scale=3.0) == wanted


@pytest.mark.parametrize(
    ("asked", "wanted"), [("epsilon", EPSILON), ("v_prediction", V), ("v_prediction_zsnr", V_ZERO)]
)
def test_the_setting_overrules_the_file(checkpoint, tmp_path, asked, wanted):
    for keys in ((), ("v_pred", "ztsnr")):
        file = marked(checkpoint, tmp_path, keys)
        assert scheduler_of(checkpoint, file, tmp_path, prediction_type=asked) == wanted


def test_the_setting_overrules_a_folders_configuration(base, tmp_path):
    folder = narrow_folder(base, tmp_path / "cfg")
    how = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    with_config(folder, SCHEDULER, **how)
    assert load_base(quick_settings(tmp_path, model=str(folder))).prediction.startswith("v-prediction with zero")
    loaded = load_base(quick_settings(tmp_path, model=str(folder), prediction_type="epsilon"))
    assert loaded.prediction == "epsilon prediction, leading timesteps (says NAYSAYER_PREDICTION_TYPE)"


def test_another_prediction_of_the_same_weights_is_another_base_and_another_training_target(checkpoint, tmp_path):
    from diffusers import DDPMScheduler

    bases = [
        load_base(settings_for(checkpoint, checkpoint, tmp_path, prediction_type=kind))
        for kind in ("epsilon", "v_prediction_zsnr")
    ]
    assert bases[0].sha256 != bases[1].sha256
    assert {name for name in bases[0].parts if bases[0].parts[name] != bases[1].parts[name]} == {"prediction"}
    noising = DDPMScheduler.from_config(bases[1].pipe.scheduler.config)
    assert noising.config.prediction_type == "v_prediction"
    assert noising.alphas_cumprod[-1] == 0


def test_a_type_that_cannot_be_drawn_is_refused_unless_the_setting_says_otherwise(checkpoint, tmp_path):
    file = marked(checkpoint, tmp_path, modelspec__prediction_type="rectified flow")
    with pytest.raises(ModelError, match=r"rectified_flow.*NAYSAYER_PREDICTION_TYPE"):
        load_base(settings_for(checkpoint, file, tmp_path))
    assert scheduler_of(checkpoint, file, tmp_path, prediction_type="epsilon") == EPSILON


def test_zero_terminal_snr_without_v_prediction_is_refused():
    with pytest.raises(ModelError, match="zero-terminal SNR, which needs v-prediction"):
        declared_prediction(Header({"ztsnr": (0,)}, {}))


@pytest.mark.parametrize("kind", ["EDMEulerScheduler", "FlowMatchEulerDiscreteScheduler"])
def test_a_folder_with_another_noise_schedule_is_refused_by_the_schedulers_name(base, tmp_path, kind):
    folder = narrow_folder(base, tmp_path / "cfg")
    with_config(folder, "model_index.json", scheduler=["diffusers", kind])
    with_config(folder, SCHEDULER, _class_name=kind, sigma_min=0.002, sigma_max=120.0, sigma_data=1.0)
    with pytest.raises(ModelError, match=kind):
        load_base(quick_settings(tmp_path, model=str(folder)))


def test_a_folder_that_is_configured_to_predict_the_sample_is_refused(base, tmp_path):
    folder = with_config(narrow_folder(base, tmp_path / "cfg"), SCHEDULER, prediction_type="sample")
    with pytest.raises(ModelError, match="configured to predict 'sample'"):
        load_base(quick_settings(tmp_path, model=str(folder)))


def test_the_words_for_a_schedule():
    assert declared_prediction(Header({}, {})) == Prediction()
    assert prediction_words({}) == "epsilon prediction"


SD = "model.diffusion_model."
TEXT = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
XL = {"conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias": (1280,)}
FAMILIES = {
    "Stable Diffusion 1.x": {SD + TEXT: (320, 768), "cond_stage_model.transformer.x": (1,)},
    "Stable Diffusion 2.x": {SD + TEXT.replace("1.1", "2.1"): (320, 1024)},
    "Stable Diffusion 1.x for inpainting": {SD + "input_blocks.0.0.weight": (320, 9, 3, 3)},
    "an inpainting model of SDXL|SDXL for inpainting": XL | {SD + "input_blocks.0.0.weight": (320, 9, 3, 3)},
    "an instruct .* takes 8 channels": XL | {SD + "input_blocks.0.0.weight": (320, 8, 3, 3)},
    "SDXL's refiner, which belongs into NAYSAYER_REFINER": {
        "conditioner.embedders.0.model.transformer.resblocks.9.mlp.c_proj.bias": (1280,)
    },
    "CosXL": XL | {"edm_vpred.sigma_max": (), "edm_vpred.sigma_min": ()},
    "Playground": XL | {"edm_mean": (1, 4, 1, 1), "edm_std": (1, 4, 1, 1)},
    "Stable Diffusion 3.5": {SD + "joint_blocks.37.x_block.mlp.fc1.weight": (1, 1)},
    "Flux": {SD + "double_blocks.0.img_attn.norm.key_norm.scale": (128,)},
    "only a UNet": {SD + TEXT: (640, 2048)},
    "only a VAE": {"first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3)},
    "a LoRA, which `naysayer import lora` takes": {"lora_unet_x.lora_down.weight": (4, 4)},
}


@pytest.mark.parametrize("said", FAMILIES)
def test_what_is_no_sdxl_is_named(said):
    import re

    assert re.search(said, family_of(Header(FAMILIES[said], {})))


@pytest.mark.parametrize("said", ["Stable Diffusion 1.x", "only a VAE", "a LoRA", "Flux"])
def test_a_file_of_another_family_is_refused_before_it_is_loaded(tmp_path, said):
    name = next(name for name in FAMILIES if name.startswith(said))
    tensors = {key: torch.zeros(shape) for key, shape in FAMILIES[name].items()}
    save_file(tensors, tmp_path / "m.safetensors")
    with pytest.raises(ModelError, match=f"is .*{said}"):
        load_base(quick_settings(tmp_path, model=str(tmp_path / "m.safetensors")))


def test_an_sdxl_file_without_a_vae_names_the_setting(checkpoint, tmp_path):
    tensors = {name: t for name, t in load_file(checkpoint).items() if not name.startswith("first_stage_model.")}
    save_file(tensors, tmp_path / "bare.safetensors")
    with pytest.raises(ModelError, match="holds no VAE; name one in NAYSAYER_VAE"):
        load_base(settings_for(checkpoint, tmp_path / "bare.safetensors", tmp_path))
    vae = str(checkpoint.parent / "cfg" / "vae")
    assert load_base(settings_for(checkpoint, tmp_path / "bare.safetensors", tmp_path, vae=vae)).pipe.vae


def test_a_folder_of_another_family_is_refused_by_name(base, tmp_path):
    folder = narrow_folder(base, tmp_path / "cfg")
    with_config(folder, "model_index.json", _class_name="FluxPipeline")
    with pytest.raises(ModelError, match="is Flux; NAYSAYER_MODEL takes"):
        load_base(quick_settings(tmp_path, model=str(folder)))


def test_a_folder_whose_unet_takes_nine_channels_is_an_inpainting_model(base, tmp_path):
    folder = narrow_folder(base, tmp_path / "cfg")
    with_config(folder, "unet/config.json", in_channels=9)
    with pytest.raises(ModelError, match="an inpainting model of SDXL: its UNet takes 9 channels"):
        load_base(quick_settings(tmp_path, model=str(folder)))


def test_a_refiner_given_as_the_model_is_sent_to_its_own_setting(base, tmp_path):
    folder = refiner_folder(base, tmp_path / "refiner")
    with pytest.raises(ModelError, match="is SDXL's refiner, which belongs into NAYSAYER_REFINER"):
        load_base(quick_settings(tmp_path, model=str(folder)))


def test_a_model_given_as_the_refiner_is_named(tmp_path):
    tensors = {key: torch.zeros(shape) for key, shape in FAMILIES["Flux"].items()}
    save_file(tensors, tmp_path / "m.safetensors")
    with pytest.raises(ModelError, match="is Flux; NAYSAYER_REFINER takes"):
        load_base(quick_settings(tmp_path, refiner=str(tmp_path / "m.safetensors")))
