import shutil
from pathlib import Path

import pytest
import torch

from feedback.sample.work import Job
from store.errors import ModelError, OtherBase
from store.layout import layout_of
from store.migrate import open_store
from tests.trainer.checkpoints import narrow_folder, single_file, with_config
from tests.trainer.conftest import quick_settings
from trainer.base.model import load_base, pick_dtype
from trainer.base.weights import BUILTIN_FOLDER
from trainer.retrain.reloading import probe
from trainer.sample.sampler import sample_latents
from trainer.sample.worker import prepare

PROMPTS, SEEDS = ["a big red star on a blue background", "a small green hand"], [1, 2]
JOBS = [Job(prompt, seed) for prompt, seed in zip(PROMPTS, SEEDS, strict=True)]
SCHEDULER = "scheduler/scheduler_config.json"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUILTIN_FOLDER, tmp_path / "copied model"))


def test_a_local_folder_loads_by_the_same_path_and_has_the_same_identity(copy, tmp_path, base):
    loaded = load_base(quick_settings(tmp_path, model=str(copy)))
    assert loaded.sha256 == base.sha256
    assert loaded.plain == base.plain


def test_the_model_folders_own_advice_is_used_unless_a_setting_says_otherwise(tmp_path):
    own = load_base(quick_settings(tmp_path, num_inference_steps=None))
    assert own.plain.num_inference_steps == 20
    set_by_hand = load_base(quick_settings(tmp_path, guidance_scale=4.5, num_inference_steps=7))
    assert (set_by_hand.plain.guidance_scale, set_by_hand.plain.num_inference_steps) == (4.5, 7)


def test_a_store_refuses_another_base(rated, copy):
    file = copy / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-2] + b"\x00\x01")
    engine = open_store(rated)
    with pytest.raises(OtherBase, match="NAYSAYER_DATA_DIR"):
        prepare(engine, layout_of(rated), rated.model_copy(update={"model": str(copy)}))
    engine.dispose()


def test_pickled_weights_are_refused(copy, tmp_path):
    file = copy / "unet" / "diffusion_pytorch_model.safetensors"
    file.rename(file.with_suffix(".bin"))
    with pytest.raises(ModelError, match="could not be loaded as an SDXL pipeline"):
        load_base(quick_settings(tmp_path, model=str(copy)))


@pytest.mark.parametrize("content", [b"", b"\x10\x00\x00\x00\x00\x00\x00\x00not a header at all", b"x" * 100])
def test_a_damaged_single_file_is_refused_with_a_sentence(tmp_path, content):
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(ModelError, match="could not be loaded"):
        load_base(quick_settings(tmp_path, model=str(file)))


def test_a_model_that_is_nowhere_is_refused_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="neither a file, a folder, nor a hub id"):
        load_base(quick_settings(tmp_path, model="nobody/nothing-here"))


def test_a_device_that_torch_cannot_use_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(ModelError, match=r"NAYSAYER_DEVICE is cuda:97, which torch cannot use"):
        load_base(quick_settings(tmp_path, device="cuda:97"))


@pytest.mark.parametrize("text", ["{broken", "[1, 2]"])
def test_a_broken_naysayer_json_is_named(copy, tmp_path, text):
    (copy / "naysayer.json").write_text(text)
    with pytest.raises(ModelError, match=r"naysayer\.json is not"):
        load_base(quick_settings(tmp_path, model=str(copy)))


def loads(folder: Path, tmp_path: Path, **changes: object) -> bool:
    try:
        load_base(quick_settings(tmp_path, model=str(folder), **changes))
    except ModelError as error:
        assert "no negative half" in str(error)
        return False
    return True


def test_a_model_with_the_name_of_a_distilled_one_needs_a_guidance_set_by_hand(copy, tmp_path):
    turbo = copy.rename(tmp_path / "sdxl-turbo")
    assert not loads(turbo, tmp_path)
    assert loads(turbo, tmp_path, guidance_scale=3.0)


def test_trailing_timesteps_tell_a_distilled_model_unless_its_betas_are_rescaled(copy, tmp_path):
    assert not loads(with_config(copy, SCHEDULER, timestep_spacing="trailing"), tmp_path)
    assert loads(copy, tmp_path, guidance_scale=3.0)
    assert loads(with_config(copy, SCHEDULER, rescale_betas_zero_snr=True), tmp_path)


def test_the_scheduler_of_a_consistency_model_tells_it(copy, tmp_path):
    with_config(copy, SCHEDULER, _class_name="LCMScheduler")
    assert not loads(with_config(copy, "model_index.json", scheduler=["diffusers", "LCMScheduler"]), tmp_path)


def test_a_unet_that_takes_the_guidance_as_an_input_is_never_steered(copy, tmp_path):
    unet = load_base(quick_settings(tmp_path)).pipe.unet
    distilled = type(unet).from_config({**unet.config, "time_cond_proj_dim": 8})
    distilled.save_pretrained(copy / "unet")
    assert not loads(copy, tmp_path)
    assert not loads(copy, tmp_path, guidance_scale=3.0)


def test_a_single_file_in_the_original_layout_is_the_same_network_as_its_folder(base, tmp_path):
    folder = narrow_folder(base, tmp_path / "narrow")
    file = single_file(folder, tmp_path / "narrow.safetensors")
    settings = quick_settings(tmp_path, model=str(file), model_config_source=str(folder), guidance_scale=2.0)
    from_file = load_base(settings)
    from_folder = load_base(settings.model_copy(update={"model": str(folder)}))
    torch.testing.assert_close(probe(from_file), probe(from_folder))
    drawn = [sample_latents(one, JOBS, from_folder.plain) for one in (from_file, from_folder)]  # the text encoders too
    torch.testing.assert_close(drawn[0], drawn[1])
    assert (from_file.revision, from_file.sha256 == from_folder.sha256) == ("", False)


def test_a_single_file_without_a_configuration_is_refused_offline_with_what_is_missing(base, tmp_path, monkeypatch):
    file = single_file(narrow_folder(base, tmp_path / "narrow"), tmp_path / "narrow.safetensors")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="NAYSAYER_MODEL_CONFIG_SOURCE"):
        load_base(quick_settings(tmp_path, model=str(file)))


@pytest.mark.parametrize("how", ["sliced", "tiled"])
def test_the_vae_decodes_in_pieces_when_asked_to(how, tmp_path):
    vae = load_base(quick_settings(tmp_path, vae_decode=how)).pipe.vae
    assert (vae.use_slicing, vae.use_tiling) == (True, how == "tiled")


def test_guidance_of_one_leaves_nothing_to_steer(tmp_path):
    with pytest.raises(ModelError, match="no negative half"):
        load_base(quick_settings(tmp_path, guidance_scale=1.0))


def test_automatic_precision_is_bf16_only_on_cuda():
    assert pick_dtype("auto", torch.device("cuda")) is torch.bfloat16
    assert pick_dtype("auto", torch.device("cpu")) is torch.float32
    assert pick_dtype("fp16", torch.device("cpu")) is torch.float16
