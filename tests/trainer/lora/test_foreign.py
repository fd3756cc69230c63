import json
import os
import re
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from store.errors import BadLora
from tests.trainer.foreign_files import kohya_names, random_lora, random_text_lora, text_encoder_part
from trainer.base.model import Base
from trainer.lora.foreign import read_lora
from trainer.lora.formats import kohya_layout, lora_hash
from trainer.lora.names import ModuleNames, original_blocks, split_name
from trainer.lora.text_encoders import text_layers

RANK, ALPHA = 4, 1.0


@pytest.fixture(scope="module")
def unet(base: Base) -> UNet2DConditionModel:
    return base.pipe.unet


@pytest.fixture(scope="module")
def layers(base: Base) -> dict[str, torch.nn.Linear]:
    return text_layers(base.pipe)


def written(folder: Path, tensors: dict, metadata: dict | None = None, name: str = "theirs.safetensors") -> Path:
    (folder / name).write_bytes(save(tensors, metadata))
    return folder / name


def product(weights: dict, path: str) -> torch.Tensor:
    return weights[f"{path}.lora_B.weight"].flatten(1) @ weights[f"{path}.lora_A.weight"].flatten(1)


@pytest.mark.parametrize("layers", ["attention", "all"])
@pytest.mark.parametrize("alpha", [1.0, 4.0, 32.0, -2.0])
def test_alpha_over_rank_is_in_the_weights_that_are_read(unet, tmp_path, layers, alpha):
    theirs = random_lora(unet, layers, RANK)
    read = read_lora(written(tmp_path, kohya_names(theirs, alpha)), unet)
    assert set(read.weights) == set(theirs)
    for path in {name.rsplit(".lora_", 1)[0] for name in theirs}:
        torch.testing.assert_close(product(read.weights, path), product(theirs, path) * alpha / RANK)


def test_without_alpha_the_scale_is_one(unet, tmp_path):
    theirs = random_lora(unet, "attention", RANK)
    no_alpha = {name: t for name, t in kohya_names(theirs, 9).items() if not name.endswith("alpha")}
    read = read_lora(written(tmp_path, no_alpha), unet)
    torch.testing.assert_close(read.weights, theirs)


def old_processor_names(weights: dict) -> dict:
    def name_of(name: str) -> str:
        module, half = name.removesuffix(".weight").rsplit(".", 1)
        module = module.replace(".to_out.0", ".to_out").replace(".to_", ".processor.to_")
        return f"unet.{module}_lora.{'down' if half == 'lora_A' else 'up'}.weight"

    return {name_of(name): tensor for name, tensor in weights.items()}


@pytest.mark.parametrize(
    "rename",
    [
        lambda w: {f"unet.{n}": t for n, t in w.items()},
        lambda w: {f"unet.{n}".replace("lora_A", "lora.down").replace("lora_B", "lora.up"): t for n, t in w.items()},
        old_processor_names,
    ],
    ids=["peft", "diffusers", "attention processors"],
)
def test_every_spelling_that_diffusers_has_used_is_read(unet, tmp_path, rename):
    theirs = random_lora(unet, "attention", RANK)
    read = read_lora(written(tmp_path, rename(theirs)), unet)
    torch.testing.assert_close(read.weights, theirs)


def test_the_alpha_that_diffusers_puts_in_the_header_counts(unet, tmp_path):
    theirs = random_lora(unet, "attention", RANK)
    path = next(iter(theirs)).rsplit(".lora_", 1)[0]
    header = {"unet.lora_alpha": 8, "unet.r": RANK, "unet.alpha_pattern": {path: 2}}
    tensors = {f"unet.{name}": tensor for name, tensor in theirs.items()}
    read = read_lora(written(tmp_path, tensors, {"lora_adapter_metadata": json.dumps(header)}), unet)
    other = next(name for name in theirs if not name.startswith(path)).rsplit(".lora_", 1)[0]
    torch.testing.assert_close(product(read.weights, path), product(theirs, path) * 2 / RANK)
    torch.testing.assert_close(product(read.weights, other), product(theirs, other) * 8 / RANK)


def test_text_encoder_modules_that_the_base_does_not_have_are_left_out_and_counted(unet, layers, tmp_path):
    theirs = kohya_names(random_lora(unet, "attention", RANK), ALPHA) | text_encoder_part(RANK)
    theirs |= {name.replace("layers_0", "layers_31"): tensor for name, tensor in text_encoder_part(RANK).items()}
    read = read_lora(written(tmp_path, theirs, {"ss_output_name": "wrong"}), unet, layers)
    assert read.about["text_encoder_modules_left_out"] == 2
    assert read.about["imported_ss_output_name"] == "wrong"
    assert {name.split(".lora_")[0][-25:] for name in read.weights if "text" in name} == {
        f"layers.0.self_attn.{one}_proj" [-25:] for one in ("q", "k", "out")
    }  # fmt: skip


def in_a_flat_encoder(weights: dict) -> dict:
    return {name.replace("text_encoder.text_model.", "text_encoder."): tensor for name, tensor in weights.items()}


def linear_layer_names(weights: dict) -> dict:
    halves = {"lora_A": "lora_linear_layer.down", "lora_B": "lora_linear_layer.up"}
    return {re.sub("lora_[AB]", lambda half: halves[half[0]], name): tensor for name, tensor in weights.items()}


def old_text_processor_names(weights: dict) -> dict:
    halves = {"A": "down", "B": "up"}
    return {
        re.sub(r"(q|k|v|out)_proj.lora_(A|B)", lambda found: f"to_{found[1]}_lora.{halves[found[2]]}", name): tensor
        for name, tensor in weights.items()
    }


@pytest.mark.parametrize(
    "rename",
    [
        lambda weights: kohya_names(weights, float(RANK)),
        lambda weights: weights,
        in_a_flat_encoder,
        linear_layer_names,
        old_text_processor_names,
    ],
    ids=["kohya", "peft", "flat", "diffusers", "attention processors"],
)
def test_every_spelling_of_the_text_encoders_is_read(unet, layers, tmp_path, rename):
    text = random_text_lora(layers, RANK)
    of_unet = {f"unet.{name}": tensor for name, tensor in random_lora(unet, "attention", RANK).items()}
    read = read_lora(written(tmp_path, of_unet | rename(text)), unet, layers)
    assert read.about["text_encoder_modules_left_out"] == 0
    torch.testing.assert_close({name: t for name, t in read.weights.items() if "text" in name}, text)


def test_text_encoder_modules_of_other_ranks_come_to_one_rank_and_change_the_same(unet, layers, tmp_path):
    small, large = (random_text_lora(layers, rank) for rank in (2, RANK))
    mixed = {name: (small if "fc1" in name else large)[name] for name in large}
    theirs = kohya_names(random_lora(unet, "attention", RANK) | mixed, ALPHA)
    read = read_lora(written(tmp_path, theirs), unet, layers)
    for path in layers:
        rank = 2 if "fc1" in path else RANK
        assert len(read.weights[f"{path}.lora_A.weight"]) == RANK
        torch.testing.assert_close(product(read.weights, path), product(mixed, path) * ALPHA / rank)


def test_the_alpha_that_diffusers_puts_in_the_header_counts_for_text_encoders(unet, layers, tmp_path):
    text = random_text_lora(layers, RANK)
    path = next(iter(layers))
    header = {"text_encoder.lora_alpha": 8, "text_encoder.alpha_pattern": {path.removeprefix("text_encoder."): 2}}
    tensors = {f"unet.{name}": t for name, t in random_lora(unet, "attention", RANK).items()} | text
    read = read_lora(written(tmp_path, tensors, {"lora_adapter_metadata": json.dumps(header)}), unet, layers)
    for module in layers:
        alpha = RANK if module.startswith("text_encoder_2") else 2 if module == path else 8
        torch.testing.assert_close(product(read.weights, module), product(text, module) * alpha / RANK)


def test_a_text_encoder_module_of_another_shape_is_refused(unet, layers, tmp_path):
    theirs = kohya_names(random_lora(unet, "attention", RANK), ALPHA) | text_encoder_part(RANK)
    name = next(name for name in theirs if "lora_te1" in name and "down" in name)
    theirs[name] = torch.ones(RANK, 63)
    with pytest.raises(BadLora, match="the shapes of text_encoder"):
        read_lora(written(tmp_path, theirs), unet, layers)


FIRST = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"


def one_changed(unet, name: str, change) -> bytes:
    tensors = kohya_names(random_lora(unet, "attention", RANK), ALPHA)
    tensors[name] = change(tensors[name])
    return save(tensors)


def one_more(unet, name: str, tensor) -> bytes:
    return save(kohya_names(random_lora(unet, "attention", RANK), ALPHA) | {name: tensor})


def raw(header: object, body: bytes = b"1234") -> bytes:
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return struct.pack("<Q", len(text)) + text + body


def half(offsets: list[int], shape: list[int] | None = None) -> dict:
    return {"dtype": "F16", "shape": shape or [1], "data_offsets": offsets}


DAMAGED = {
    "empty": (lambda u: b"", "cut short"),
    "truncated": (
        lambda u: save(kohya_names(random_lora(u, "attention", RANK), ALPHA))[:-40],
        "not a valid safetensors",
    ),
    "cut in the header": (lambda u: save(kohya_names(random_lora(u, "attention", RANK), ALPHA))[:200], "cut short"),
    "overlapping": (lambda u: raw({"a": half([0, 2]), "b": half([0, 2])}), "not a valid safetensors"),
    "a hole": (lambda u: raw({"a": half([2, 4])}), "not a valid safetensors"),
    "data left over": (lambda u: raw({"a": half([0, 2])}), "not a valid safetensors"),
    "shape of another size": (lambda u: raw({"a": half([0, 4], [2**40])}), "not a valid safetensors"),
    "huge header": (lambda u: struct.pack("<Q", 2**62) + b"{}", "cut short"),
    "nested header": (lambda u: raw(b"[" * 100_000), "not that of a safetensors file"),
    "a list for a header": (lambda u: raw([]), "not that of a safetensors file"),
    "NaN": (lambda u: one_changed(u, f"{FIRST}.lora_up.weight", lambda t: t * torch.nan), "NaN or infinite"),
    "infinite": (lambda u: one_changed(u, f"{FIRST}.lora_down.weight", lambda t: t + torch.inf), "NaN or infinite"),
    "NaN alpha": (lambda u: one_changed(u, f"{FIRST}.alpha", lambda t: t * torch.nan), "NaN or infinite"),
    "two alphas": (lambda u: one_changed(u, f"{FIRST}.alpha", lambda t: torch.ones(2)), "2 numbers"),
    "integers": (lambda u: one_changed(u, f"{FIRST}.lora_up.weight", lambda t: t.int()), "floating-point"),
    "wrong rank": (lambda u: one_changed(u, f"{FIRST}.lora_up.weight", lambda t: t[:, 1:].clone()), "the shapes of"),
    "rank zero": (lambda u: one_changed(u, f"{FIRST}.lora_down.weight", lambda t: t[:0].clone()), "the shapes of"),
    "no matrix": (lambda u: one_changed(u, f"{FIRST}.lora_down.weight", lambda t: t[0, 0].clone()), "the shapes of"),
    "beyond float16": (lambda u: one_changed(u, f"{FIRST}.lora_up.weight", lambda t: t * 1e9), "float16"),
    "only one half": (lambda u: save({f"{FIRST}.lora_up.weight": torch.ones(96, 4)}), "both down and up"),
    "LoHa": (lambda u: save({f"{FIRST}.hada_w1_a": torch.ones(4, 4)}), "it is a LoHa"),
    "LoKr": (lambda u: save({f"{FIRST}.lokr_w1": torch.ones(4, 4)}), "it is a LoKr"),
    "DoRA": (lambda u: one_more(u, f"{FIRST}.dora_scale", torch.ones(4, 1)), "it is a DoRA"),
    "peft's DoRA": (lambda u: one_more(u, "unet.x.lora_magnitude_vector", torch.ones(4)), "it is a DoRA"),
    "OFT": (lambda u: save({f"{FIRST}.oft_blocks": torch.ones(4, 4)}), "it is an OFT"),
    "IA3": (lambda u: save({f"{FIRST}.on_input": torch.ones(4)}), "it is an IA3"),
    "GLoRA": (lambda u: save({f"{FIRST}.a1.weight": torch.ones(4, 4)}), "it is a GLoRA"),
    "CP": (lambda u: one_more(u, f"{FIRST}.lora_mid.weight", torch.ones(4, 4, 3, 3)), "CP decomposition"),
    "differences": (lambda u: one_more(u, "diffusion_model.out.2.diff", torch.ones(4)), "whole differences"),
    "biases": (lambda u: one_more(u, f"{FIRST}.lora_up.bias", torch.ones(4)), "a LoRA with biases"),
    "scaled fp8": (lambda u: one_more(u, f"{FIRST}.lora_up.scale_weight", torch.ones(1)), "scales of its own"),
    "whole weights": (lambda u: one_more(u, f"{FIRST}.weight", torch.ones(4)), "whole weights beside"),
    "Flux": (
        lambda u: save({"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": torch.ones(4, 4)}),
        "Flux",
    ),
    "SD 3": (
        lambda u: save({"lora_unet_joint_blocks_0_x_block_attn_qkv.lora_up.weight": torch.ones(4, 4)}),
        "Stable Diffusion 3",
    ),
    "a checkpoint": (lambda u: save({"model.diffusion_model.out.2.weight": torch.ones(4)}), "it is a whole checkpoint"),
    "an embedding": (lambda u: save({"clip_l": torch.ones(4, 64), "clip_g": torch.ones(4, 64)}), "textual-inversion"),
    "complex alpha": (lambda u: one_changed(u, f"{FIRST}.alpha", lambda t: t + 1j), "stored as torch.complex64"),
    "git-lfs": (lambda u: b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git-lfs pointer"),
    "login page": (lambda u: b"<!DOCTYPE html><title>Log in</title>", "web page, perhaps a login page"),
    "JSON error": (lambda u: b'{"error":"Unauthorized"}', "JSON text"),
    "unknown module": (lambda u: save({"lora_unet_woof.lora_up.weight": torch.ones(4, 4)}), "unknown key"),
    "only text": (lambda u: save(text_encoder_part(4)), "nothing for the UNet"),
    "no tensors": (lambda u: save({}), "nothing for the UNet"),
    "SD 1.5": (
        lambda u: save({f"{FIRST.replace('attn1_to_q', 'attn2_to_k')}.lora_down.weight": torch.ones(4, 768)}),
        "Stable Diffusion 1.x",
    ),
    "SD 2": (
        lambda u: save({f"{FIRST.replace('attn1_to_q', 'attn2_to_k')}.lora_down.weight": torch.ones(4, 1024)}),
        "Stable Diffusion 2.x",
    ),
    "pickle": (lambda u: b"PK\x03\x04 archive/data.pkl", "pickle"),
    "old pickle": (lambda u: b"\x80\x02}q\x00.", "pickle"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_file_that_will_not_do_is_refused_with_the_reason(unet, tmp_path, kind):
    make, reason = DAMAGED[kind]
    (tmp_path / "theirs.safetensors").write_bytes(make(unet))
    with pytest.raises(BadLora, match=reason):
        read_lora(tmp_path / "theirs.safetensors", unet)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int8, torch.uint8, torch.float64, torch.bfloat16])
def test_alpha_may_be_any_type_of_number(unet, tmp_path, dtype):
    theirs = kohya_names(random_lora(unet, "attention", RANK), 2.0)
    typed = {name: t.to(dtype) if name.endswith("alpha") else t for name, t in theirs.items()}
    read = read_lora(written(tmp_path, typed), unet)
    torch.testing.assert_close(read.weights, read_lora(written(tmp_path, theirs), unet).weights)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.bfloat16, torch.float64])
def test_weights_may_be_of_any_floating_point_type(unet, tmp_path, dtype):
    theirs = {name: t.to(dtype).float() for name, t in kohya_names(random_lora(unet, "attention", RANK), 4.0).items()}
    read = read_lora(written(tmp_path, {name: t.to(dtype) for name, t in theirs.items()}), unet)
    torch.testing.assert_close(read.weights, read_lora(written(tmp_path, theirs), unet).weights)


def test_keys_that_belong_to_no_module_are_left_out_and_counted(unet, tmp_path):
    theirs = kohya_names(random_lora(unet, "attention", RANK), 4.0)
    extra = {"bundle_emb.wrong.clip_l": torch.randn(2, 64), "v_pred": torch.tensor([]), "note": torch.ones(3).int()}
    read = read_lora(written(tmp_path, theirs | extra), unet)
    assert read.about["other_keys_left_out"] == 3
    torch.testing.assert_close(read.weights, read_lora(written(tmp_path, theirs), unet).weights)


def test_two_adapters_in_one_file_are_refused(unet, tmp_path):
    theirs = {f"unet.{name}": t for name, t in random_lora(unet, "attention", RANK).items()}
    both = theirs | {name.replace(".weight", ".other.weight"): t.clone() for name, t in theirs.items()}
    with pytest.raises(BadLora, match="under two adapters"):
        read_lora(written(tmp_path, both), unet)


@pytest.mark.parametrize(
    ("rename", "whose"),
    [
        (lambda w: {f"base_model.model.{n}".replace(".weight", ".default.weight"): t for n, t in w.items()}, "peft's"),
        (lambda w: {f"diffusion_model.{n}": t for n, t in w.items()}, "ComfyUI's"),
        (lambda w: {f"unet.{n}": t for n, t in w.items()}, "diffusers'"),
        (lambda w: kohya_names(w, 4.0), "kohya's"),
    ],
)
def test_the_same_lora_has_one_hash_in_every_spelling_order_and_type(unet, tmp_path, rename, whose):
    theirs = {name: t.half() for name, t in random_lora(unet, "attention", RANK).items()}
    wanted = lora_hash(read_lora(written(tmp_path, theirs), unet).weights)
    renamed = rename(theirs)
    read = read_lora(written(tmp_path, {name: renamed[name].float() for name in reversed(list(renamed))}), unet)
    assert (lora_hash(read.weights), read.about["imported_names"]) == (wanted, whose)
    theirs[next(iter(theirs))][0, 0] += 0.5
    assert lora_hash(read_lora(written(tmp_path, theirs), unet).weights) != wanted


@pytest.mark.parametrize("name", ["lora.bin", "lora.pt", "lora.pth"])
def test_a_pickle_is_refused_by_its_name_as_well(unet, tmp_path, name):
    with pytest.raises(BadLora, match="pickle"):
        read_lora(written(tmp_path, {"a": torch.ones(1)}, name=name), unet)


def test_a_folder_or_a_missing_file_is_refused(unet, tmp_path):
    for path in (tmp_path, tmp_path / "none.safetensors"):
        with pytest.raises(BadLora, match="no such file"):
            read_lora(path, unet)


@pytest.mark.slow
def test_whatever_the_bytes_only_our_error_comes_out(unet, tmp_path):
    sound = save(dict(list(kohya_names(random_lora(unet, "attention", 1), ALPHA).items())[:9]))
    header_end = 8 + struct.unpack("<Q", sound[:8])[0]
    outcomes = {"read": 0, "refused": 0}

    @settings(max_examples=2500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        edits=st.lists(st.tuples(st.integers(0, header_end + 64), st.binary(min_size=1, max_size=6)), max_size=4),
        cut=st.one_of(st.none(), st.integers(0, len(sound))),
        tail=st.binary(max_size=8),
    )
    def trial(edits, cut, tail):
        data = bytearray(sound)
        for place, piece in edits:
            data[place : place + len(piece)] = piece
        path = tmp_path / "fuzzed.safetensors"
        path.write_bytes(bytes(data[:cut]) + tail)
        try:
            read_lora(path, unet)
            outcomes["read"] += 1
        except BadLora:
            outcomes["refused"] += 1

    trial()
    assert sum(outcomes.values()) >= 2000
    assert min(outcomes.values()) > 0  # some edits fall into the numbers, which any value fits


def real_data() -> Path:
    folder = os.environ.get("NAYSAYER_REALDATA")
    if not folder:
        pytest.skip("NAYSAYER_REALDATA is not set: the real SDXL configuration and key listings are not at hand")
    return Path(folder)


@pytest.fixture(scope="module")
def real_unet() -> UNet2DConditionModel:
    """A UNet of the real configuration, without memory for its weights."""
    config = json.loads((real_data() / "sdxl_config/unet/config.json").read_text())
    with torch.device("meta"):
        return UNet2DConditionModel.from_config(config)


def real_text_layers() -> dict[str, torch.nn.Linear]:
    """Those of text encoders of the real configuration, without memory for their weights."""
    folder = real_data() / "sdxl_config"
    with torch.device("meta"):
        first = CLIPTextModel(CLIPTextConfig.from_pretrained(folder / "text_encoder"))
        second = CLIPTextModelWithProjection(CLIPTextConfig.from_pretrained(folder / "text_encoder_2"))
    return text_layers(SimpleNamespace(text_encoder=first, text_encoder_2=second))


def listed(name: str) -> dict[str, list[int]]:
    rows = json.loads((real_data() / "statedict_listings" / name).read_text())
    return {key: row["shape"] for key, row in rows.items()}


@pytest.mark.slow
def test_a_published_kohya_file_is_read_whole(real_unet, tmp_path):
    shapes = listed("lora_sdxl_kohya_AlienStyle_rank32_te1te2unet.json")
    random = torch.Generator().manual_seed(0)
    tensors = {key: torch.randn(shape, generator=random).bfloat16() for key, shape in shapes.items()}
    read = read_lora(written(tmp_path, tensors), real_unet, real_text_layers())
    assert (read.about["imported_modules"], read.about["imported_ranks"]) == (722 + 264, [32])
    assert read.about["text_encoder_modules_left_out"] == 0
    assert len(read_lora(tmp_path / "theirs.safetensors", real_unet).weights) == 2 * 722


@pytest.mark.slow
def test_a_published_sd_15_file_is_refused(real_unet, tmp_path):
    shapes = listed("lora_sd15_kohya_shinkai_rank128.json")
    tensors = {key: torch.zeros(shape, dtype=torch.float16) for key, shape in shapes.items()}
    with pytest.raises(BadLora, match=r"Stable Diffusion 1\.x"):
        read_lora(written(tmp_path, tensors), real_unet)


def test_the_original_block_names_of_every_layer_lead_to_its_diffusers_path(real_unet):
    text = (real_data() / "statedict_listings/aitoolkit_stable_diffusion_sdxl_keymap.json").read_text()
    names = ModuleNames(real_unet)
    layers, checked = set(names.unet.values()), 0
    for original, theirs in json.loads(text)["ldm_diffusers_keymap"].items():
        path = theirs.removeprefix("unet_").removesuffix(".weight")
        if original.startswith("model.diffusion_model.") and path in layers:
            blocks = original.removeprefix("model.diffusion_model.").removesuffix(".weight").replace(".", "_")
            assert names.find(f"lora_unet_{blocks}") == path
            checked += 1
    assert checked == len(layers) == 794


def test_our_kohya_names_are_diffusers_paths_throughout(unet):
    # InvokeAI refuses a file that mixes these with the original's blocks.
    ours = kohya_layout(random_lora(unet, "all", RANK))
    modules = {name.split(".", 1)[0] for name in ours}
    assert {name.split(".", 1)[1] for name in ours} == {"lora_down.weight", "lora_up.weight", "alpha"}
    names = ModuleNames(unet)
    assert modules == {f"lora_unet_{str(names.find(name)).replace('.', '_')}" for name in modules}
    assert not [name for name in modules if name.removeprefix("lora_unet_").startswith(tuple(original_blocks(unet)))]


def test_a_tensors_name_says_its_module_and_its_part():
    assert split_name("unet.a.processor.to_q_lora.up.weight") == ("unet.a.processor.to_q", "up")
    assert split_name("lora_unet_a.lora_mid.weight") is None
