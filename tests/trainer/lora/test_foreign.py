import json
import re
import struct

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from store.errors import BadLora
from tests.trainer.foreign_files import kohya_names, random_lora, random_text_lora, text_encoder_part
from tests.trainer.lora.written import ALPHA, RANK, written
from trainer.lora.foreign import read_lora
from trainer.lora.formats import kohya_layout, lora_hash
from trainer.lora.names import ModuleNames, original_blocks, split_name


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
