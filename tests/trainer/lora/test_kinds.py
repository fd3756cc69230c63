import json
import struct

import pytest
import torch
from safetensors.torch import save

from store.errors import BadLora
from tests.trainer.foreign_files import kohya_names, random_lora, text_encoder_part
from tests.trainer.lora.written import ALPHA, FIRST, RANK, one_more
from trainer.lora.foreign import read_lora


def one_changed(unet, name: str, change) -> bytes:
    tensors = kohya_names(random_lora(unet, "attention", RANK), ALPHA)
    tensors[name] = change(tensors[name])
    return save(tensors)


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
    "scaled fp8": (lambda u: one_more(u, f"{FIRST}.lora_up.scale_weight", torch.ones(1)), "its own scales"),
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
