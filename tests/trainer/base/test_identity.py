import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from feedback.versions import begin, get_version
from store.errors import OtherBase
from store.files import sha256_of, sha256_of_file
from store.migrate import open_store
from tests.trainer.checkpoints import narrow_folder, refiner_folder, single_file, with_config
from tests.trainer.conftest import quick_settings
from trainer.base.identity import Sources, earlier_hashes, network_files
from trainer.base.model import Base, load_base, record_base
from trainer.base.weights import BUILTIN_FOLDER

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUILTIN_FOLDER, tmp_path / "copied model"))


def load(model: Path | str, tmp_path: Path, **changes: object) -> Base:
    return load_base(quick_settings(tmp_path, model=str(model), **changes))


def change_one_number(file: Path) -> None:
    tensors = load_file(file)
    name = next(name for name in sorted(tensors) if tensors[name].is_floating_point())
    tensors[name].view(-1)[0] += 0.25
    save_file(tensors, file, {"format": "pt"})


def differing(one: Base, other: Base) -> set[str]:
    return {name for name in one.parts.keys() | other.parts.keys() if one.parts.get(name) != other.parts.get(name)}


@pytest.mark.parametrize(
    ("part", "file"),
    [
        ("unet", f"unet/{WEIGHTS}"),
        ("vae", f"vae/{WEIGHTS}"),
        ("text_encoder", "text_encoder/model.safetensors"),
        ("text_encoder_2", "text_encoder_2/model.safetensors"),
    ],
)
def test_each_networks_weights_are_in_the_identity(copy, base, tmp_path, part, file):
    change_one_number(copy / file)
    assert differing(load(copy, tmp_path), base) == {part}


def test_a_tokenizers_vocabulary_is_in_the_identity(copy, base, tmp_path):
    file = copy / "tokenizer_2" / "tokenizer.json"
    tokens = json.loads(file.read_text())
    words = list(tokens["model"]["vocab"])
    first, second = words[5], words[6]
    vocab = tokens["model"]["vocab"]
    vocab[first], vocab[second] = vocab[second], vocab[first]
    file.write_text(json.dumps(tokens))
    assert differing(load(copy, tmp_path), base) == {"tokenizer_2"}


def test_the_prediction_type_and_the_vaes_scale_are_in_the_identity(copy, base, tmp_path):
    with_config(copy, "scheduler/scheduler_config.json", prediction_type="v_prediction")
    with_config(copy, "vae/config.json", scaling_factor=0.5)
    assert differing(load(copy, tmp_path), base) == {"prediction", "vae"}


def test_what_is_not_loaded_is_not_in_the_identity(copy, base, tmp_path):
    (copy / "example-lora.safetensors").write_bytes(b"any bytes")
    shutil.copy(copy / "unet" / WEIGHTS, copy / "sd_xl_base_1.0.safetensors")
    shutil.copy(copy / "unet" / WEIGHTS, copy / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    (copy / "vae_1_0").mkdir()
    shutil.copy(copy / "vae" / WEIGHTS, copy / "vae_1_0")
    with_config(copy, "scheduler/scheduler_config.json", steps_offset=0)
    tensors = load_file(copy / "vae" / WEIGHTS)
    save_file(tensors, copy / "vae" / WEIGHTS, {"format": "pt", "note": "written again"})
    assert differing(load(copy, tmp_path), base) == set()


def test_a_slash_at_the_end_and_a_link_name_the_same_base(copy, base, tmp_path):
    (tmp_path / "link").symlink_to(copy)
    assert load(f"{copy}/", tmp_path).sha256 == load(tmp_path / "link", tmp_path).sha256 == base.sha256
    vae = copy / "vae"
    assert load(copy, tmp_path, vae=str(vae)).sha256 == load(copy, tmp_path, vae=f"{vae}/").sha256 == base.sha256


def test_the_variant_in_use_is_what_counts(copy, tmp_path):
    for file in ("unet/diffusion_pytorch_model", "text_encoder/model"):
        save_file(
            {name: t.half() for name, t in load_file(copy / f"{file}.safetensors").items()},
            copy / f"{file}.fp16.safetensors",
            {"format": "pt"},
        )
    plain, variant = load(copy, tmp_path), load(copy, tmp_path, model_variant="fp16")
    change_one_number(copy / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    assert load(copy, tmp_path).sha256 == plain.sha256
    assert differing(load(copy, tmp_path, model_variant="fp16"), variant) == {"unet"}


def test_weights_in_shards_are_the_same_base(copy, base, tmp_path):
    base.pipe.unet.half()
    try:
        (copy / "unet" / WEIGHTS).unlink()
        base.pipe.unet.save_pretrained(copy / "unet", max_shard_size="400KB")
    finally:
        base.pipe.unet.float()
    assert len(network_files(copy / "unet")) > 1
    assert differing(load(copy, tmp_path), base) == set()


def test_of_a_single_file_only_the_parts_in_use_count_and_no_other_key(base, tmp_path):
    folder = narrow_folder(base, tmp_path / "cfg")
    file = single_file(folder, tmp_path / "one.safetensors")
    how = {"model_config_source": str(folder), "vae": str(BUILTIN_FOLDER / "vae")}
    first = load(file, tmp_path, **how)
    tensors = load_file(file)
    tensors["first_stage_model.decoder.conv_in.bias"] += 1  # replaced by NAYSAYER_VAE
    save_file(tensors | {"model_ema.decay": torch.ones(1)}, tmp_path / "two.safetensors", {"modelspec.title": "x"})
    assert differing(load(tmp_path / "two.safetensors", tmp_path, **how), first) == set()
    tensors["model.diffusion_model.out.2.bias"] += 1
    save_file(tensors, tmp_path / "two.safetensors")
    assert differing(load(tmp_path / "two.safetensors", tmp_path, **how), first) == {"unet"}


def test_a_vae_may_be_a_folder_a_models_folder_or_a_single_file(base, tmp_path):
    vae = AutoencoderKL.from_config(base.pipe.vae.config)
    vae.save_pretrained(tmp_path / "vae")
    loaded = load(BUILTIN_FOLDER, tmp_path, vae=str(tmp_path / "vae"))
    assert differing(loaded, base) == {"vae"}
    torch.testing.assert_close(loaded.pipe.vae.state_dict(), vae.state_dict())
    folder = narrow_folder(base, tmp_path / "cfg")
    assert differing(load(BUILTIN_FOLDER, tmp_path, vae=str(folder)), base) == {"vae"}  # float32 there
    file = tmp_path / "vae" / WEIGHTS
    torch.testing.assert_close(
        load(BUILTIN_FOLDER, tmp_path, vae=str(file)).pipe.vae.state_dict(), loaded.pipe.vae.state_dict()
    )


def test_of_a_refiner_its_unet_its_start_and_nothing_else_count(base, tmp_path):
    folder = refiner_folder(base, tmp_path / "refiner")
    first = load(BUILTIN_FOLDER, tmp_path, refiner=str(folder))
    (folder / "another.safetensors").write_bytes(b"any bytes")
    change_one_number(folder / "vae" / WEIGHTS)
    assert differing(load(BUILTIN_FOLDER, tmp_path, refiner=f"{folder}/"), first) == set()
    assert differing(load(BUILTIN_FOLDER, tmp_path, refiner=str(folder), refiner_start=0.5), first) == {"refiner_start"}
    change_one_number(folder / "unet" / WEIGHTS)
    assert differing(load(BUILTIN_FOLDER, tmp_path, refiner=str(folder)), first) == {"refiner"}


def old_hash(folder: Path, vae: str = "", variant: str = "") -> str:
    """As programs before this one computed it."""
    files = sorted(folder.glob("**/*.safetensors"))
    return sha256_of("\n".join([*map(sha256_of_file, files), vae, variant]).encode())


def test_a_store_of_an_earlier_program_goes_on_and_then_knows_the_parts(copy, tmp_path):
    settings = quick_settings(tmp_path / "data", model=str(copy))
    engine = open_store(settings)
    begin(engine, settings.model, old_hash(copy))
    (copy / "more.safetensors").write_bytes(b"came later")
    loaded = load_base(settings)
    record_base(engine, loaded)
    assert get_version(engine, 0).base_sha256 == loaded.sha256
    assert get_version(engine, 0).settings["base_parts"] == loaded.parts
    change_one_number(copy / "vae" / WEIGHTS)
    with pytest.raises(OtherBase, match="the VAE differs; set NAYSAYER_MODEL"):
        record_base(engine, load_base(settings))
    engine.dispose()


def test_an_earlier_hash_is_known_with_and_without_a_slash_after_the_vae_and_with_a_refiner(copy, tmp_path):
    settings = quick_settings(tmp_path, model=str(copy), vae="some/vae/", refiner="a refiner")
    assert old_hash(copy, "some/vae") in earlier_hashes(Sources(copy), settings)
    refiner = Path(shutil.copytree(BUILTIN_FOLDER, tmp_path / "refiner"))
    whole = f"{old_hash(copy, 'some/vae/')}\n{old_hash(refiner, 'some/vae/')}\n0.8"
    assert sha256_of(whole.encode()) in earlier_hashes(Sources(copy, refiner=refiner), settings)


def test_other_weights_than_an_old_stores_are_refused_with_both_hashes(copy, tmp_path):
    settings = quick_settings(tmp_path / "data", model=str(copy))
    engine = open_store(settings)
    begin(engine, settings.model, old_hash(copy))
    change_one_number(copy / "unet" / WEIGHTS)
    with pytest.raises(OtherBase, match="and the settings name the same: their weights differ"):
        record_base(engine, load_base(settings))
    engine.dispose()


def test_a_refusal_names_every_part_that_differs(engine):
    begin(engine, "a/b", "0" * 64, {"base_parts": {"unet": "1", "vae": "2", "refiner": "3"}})
    with pytest.raises(OtherBase, match="the UNet, the VAE and the refiner differ"):
        begin(engine, "a/c", "1" * 64, {"base_parts": {"unet": "x", "vae": "y"}})
