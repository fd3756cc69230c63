import json
import os
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from torch import Tensor

from store.errors import BadExport
from tests.trainer.conftest import quick_settings
from tests.trainer.text_adapters import add_text_adapter, text_tensors
from trainer.base.model import Base, load_base
from trainer.fit.cache import encode_prompts, weights_sha256
from trainer.lora.formats import DIFFUSERS_FILE, KOHYA_FILE, diffusers_layout, kohya_layout, safetensors_bytes
from trainer.lora.tensors import TRAINED, add_fresh, attach_file, detach, trained_tensors, weights_of
from trainer.lora.text_encoders import encode_tokens, tokens_of
from trainer.retrain.reloading import check_trained
from trainer.sample.text import apply_text_lora, probe_text

PROMPTS, SEEDS = ["a big red star on a blue background", "a small green hand"], [1, 2]


def write(folder: Path, base: Base, text_factor: float = 1.0) -> None:
    """Both files of the trained adapter, the up matrices of the text encoders multiplied."""
    tensors = weights_of(trained_tensors(base.pipe.unet) | text_tensors(base.pipe))
    changed = {n: t * text_factor if n.startswith("text") and "lora_B" in n else t for n, t in tensors.items()}
    for name, layout in ((DIFFUSERS_FILE, diffusers_layout), (KOHYA_FILE, kohya_layout)):
        (folder / name).write_bytes(safetensors_bytes(layout(changed), {}))


@torch.no_grad()
def encoded(pipe: StableDiffusionXLPipeline) -> tuple[Tensor, Tensor]:
    hidden, _, pooled, _ = pipe.encode_prompt(PROMPTS, do_classifier_free_guidance=False)
    return hidden, pooled


def test_our_encoding_of_tokens_is_the_pipelines(base):
    tokens = torch.stack([tokens_of(base.pipe, prompt) for prompt in PROMPTS])
    hidden, pooled = encoded(base.pipe)
    with torch.no_grad():
        ours = encode_tokens(base.pipe, tokens)
    assert torch.equal(ours[0], hidden)
    assert torch.equal(ours[1], pooled)


def test_whoever_else_encodes_a_prompt_gets_the_bases_text(base, taught):
    with torch.no_grad():
        plain, theirs = probe_text(base.pipe), probe_text(taught.pipe, TRAINED)
        assert torch.equal(probe_text(taught.pipe), plain)
        assert (theirs - plain).norm() > 0.05 * plain.norm()
        with apply_text_lora(taught.pipe, TRAINED):
            pass
    for ours, own in zip(encode_prompts(taught, PROMPTS), encode_prompts(base, PROMPTS), strict=True):
        assert torch.equal(ours.hidden, own.hidden)
        assert torch.equal(ours.pooled, own.pooled)


def test_the_hash_of_the_encoders_is_that_of_the_base_whatever_lies_beside_them(base, taught):
    both = [(each.pipe.text_encoder, each.pipe.text_encoder_2) for each in (base, taught)]
    assert weights_sha256(*both[0]) == weights_sha256(*both[1])


def test_kohyas_names_are_those_that_other_tools_document(taught):
    tensors = text_tensors(taught.pipe)
    wanted = {
        f"lora_te{encoder}_text_model_encoder_layers_{layer}_self_attn_{one}_proj.{end}"
        for encoder in (1, 2)
        for layer in range(3)
        for one in ("q", "k", "v", "out")
        for end in ("lora_down.weight", "lora_up.weight", "alpha")
    }
    named = kohya_layout(tensors)
    assert set(named) == wanted
    assert {float(tensor) for name, tensor in named.items() if name.endswith("alpha")} == {4.0}
    assert set(diffusers_layout(tensors)) == set(tensors)
    assert {name.split(".layers")[0] for name in tensors} == {
        "text_encoder.text_model.encoder",
        "text_encoder_2.text_model.encoder",
    }


@pytest.mark.skipif("NAYSAYER_REALDATA" not in os.environ, reason="NAYSAYER_REALDATA is not set")
def test_our_names_are_a_part_of_a_published_kohya_files(taught):
    listings = Path(os.environ["NAYSAYER_REALDATA"]) / "statedict_listings"
    published = json.loads((listings / "lora_sdxl_kohya_AlienStyle_rank32_te1te2unet.json").read_text())
    assert set(kohya_layout(text_tensors(taught.pipe))) <= set(published)


def test_files_with_the_text_encoders_pass_and_leave_nothing_behind(taught, tmp_path):
    write(tmp_path, taught)
    check_trained(taught, tmp_path)
    for network in (taught.pipe.unet, taught.pipe.text_encoder, taught.pipe.text_encoder_2):
        assert not [name for name, _ in network.named_parameters() if "lora" in name]


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0])
def test_a_file_with_another_text_encoder_is_refused(taught, tmp_path, factor):
    write(tmp_path, taught, factor)
    with pytest.raises(BadExport, match="its change of the text encoders differs"):
        check_trained(taught, tmp_path)


@pytest.mark.slow
def test_in_half_precision_files_pass_however_little_the_text_encoders_learnt(tmp_path):
    base = load_base(quick_settings(tmp_path, dtype="bf16"))
    with torch.no_grad():
        for parameter in add_fresh(base.pipe.unet, 4, "all", 0) + add_text_adapter(base.pipe, 4):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 2e-2)
            parameter.copy_(parameter.half())
    write(tmp_path, base)
    check_trained(base, tmp_path)


def test_an_attached_file_is_without_effect_until_a_rule_puts_it_in_force(taught, base, tmp_path):
    write(tmp_path, taught)
    fresh = load_base(quick_settings(tmp_path))
    for number in range(2):  # a version after the other, as the sampler attaches them
        attach_file(fresh.pipe, tmp_path / DIFFUSERS_FILE, f"v{number}")
        assert torch.equal(probe_text(fresh.pipe), probe_text(base.pipe))
        torch.testing.assert_close(probe_text(fresh.pipe, f"v{number}"), probe_text(taught.pipe, TRAINED))
        detach(fresh.pipe, f"v{number}")
    assert torch.equal(probe_text(fresh.pipe), probe_text(base.pipe))
