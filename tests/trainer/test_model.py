import shutil
from pathlib import Path

import pytest
import torch

from store.errors import ModelError, OtherBase
from store.migrate import open_store
from tests.trainer.conftest import quick_settings
from trainer.model import BUILTIN_FOLDER, hash_of, load_base, pick_dtype
from trainer.worker import prepare


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


def test_other_weights_are_another_base(copy, tmp_path):
    settings = quick_settings(tmp_path)
    before = hash_of(copy, settings)
    file = copy / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-2] + b"\x00\x01")
    assert hash_of(copy, settings) != before


def test_a_store_refuses_another_base(rated, copy):
    file = copy / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-2] + b"\x00\x01")
    engine = open_store(rated)
    with pytest.raises(OtherBase, match="NAYSAYER_DATA_DIR"):
        prepare(engine, None, rated.model_copy(update={"model": str(copy)}))
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
    with pytest.raises(ModelError, match="could not be loaded as an SDXL pipeline"):
        load_base(quick_settings(tmp_path, model=str(file)))


def test_a_model_that_is_nowhere_is_refused_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="neither a file, a folder, nor a hub id"):
        load_base(quick_settings(tmp_path, model="nobody/nothing-here"))


def test_a_distilled_model_is_refused_because_it_has_no_negative_half(copy, tmp_path):
    turbo = copy.rename(tmp_path / "sdxl-turbo")
    with pytest.raises(ModelError, match="no negative half"):
        load_base(quick_settings(tmp_path, model=str(turbo)))
    load_base(quick_settings(tmp_path, model=str(turbo), guidance_scale=3.0))


def test_guidance_of_one_leaves_nothing_to_steer(tmp_path):
    with pytest.raises(ModelError, match="no negative half"):
        load_base(quick_settings(tmp_path, guidance_scale=1.0))


def test_automatic_precision_is_bf16_on_cuda_alone():
    assert pick_dtype("auto", torch.device("cuda")) is torch.bfloat16
    assert pick_dtype("auto", torch.device("cpu")) is torch.float32
    assert pick_dtype("fp16", torch.device("cpu")) is torch.float16
