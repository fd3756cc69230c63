import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file
from torch import Tensor

from feedback.versions import get_version
from store.errors import BadExport, BadRequest, Interrupted
from store.layout import layout_of
from store.migrate import open_store
from tests.trainer.conftest import quick_settings
from tests.trainer.fitting import drawer, fit_here, frozen
from trainer.base.model import Base, load_base
from trainer.fit.cache import encode_prompts, weights_sha256
from trainer.fit.fit import Watch
from trainer.fit.loss import loss_of
from trainer.lora.formats import DIFFUSERS_FILE, KOHYA_FILE, diffusers_layout, kohya_layout, safetensors_bytes
from trainer.lora.tensors import TRAINED, add_fresh, attach_file, detach, trained_tensors, weights_of
from trainer.lora.text_encoders import add_fresh_text, encode_tokens, tokens_of, trained_text
from trainer.retrain.check import check_trained, probe
from trainer.retrain.provenance import checkpoint_folder, training_settings
from trainer.retrain.retrain import retrain
from trainer.sample.sampler import Sampler
from trainer.sample.text import apply_text_lora, probe_text

PROMPTS, SEEDS = ["a big red star on a blue background", "a small green hand"], [1, 2]


@pytest.fixture
def text_settings(rated):
    return rated.model_copy(update={"lora_text_encoders": True, "train_steps": 4, "null_dropout": 0.5})


def write(folder: Path, base: Base, text_factor: float = 1.0) -> None:
    """Both files of the trained adapter, the up matrices of the text encoders multiplied."""
    tensors = weights_of(trained_tensors(base.pipe.unet) | trained_text(base.pipe))
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


@pytest.mark.parametrize("objective", ["nft", "sft"])
def test_the_gradient_reaches_both_text_encoders(text_settings, own_base, objective):
    draw, pipe = drawer(text_settings.model_copy(update={"objective": objective}), own_base), own_base.pipe
    add_fresh(pipe.unet, 2, "all", 0)
    parameters = add_fresh_text(pipe, 2, 0)
    assert len(parameters) == 2 * 4 * (3 + 3)
    loss_of(pipe.unet, draw.train(0), draw).backward()
    reached = {
        f"{number}: {name.split('encoder.')[-1]}"
        for number, encoder in enumerate((pipe.text_encoder, pipe.text_encoder_2))
        for name, parameter in encoder.named_parameters()
        if "lora_B" in name and parameter.grad is not None and parameter.grad.abs().max() > 0
    }
    wanted = {
        f"{number}: layers.{layer}.self_attn.{one}_proj.lora_B.negative.weight"
        for number, layers in ((0, 2), (1, 3))  # SDXL takes the first one's text before its last layer
        for layer in range(layers)
        for one in ("q", "k", "v", "out")
    }
    assert reached == wanted


def test_the_bases_own_prediction_reads_the_bases_own_text(text_settings, taught):
    draw = drawer(text_settings.model_copy(update={"null_dropout": 0.0}), taught)
    batch = draw.train(0)
    read = draw.adapted(batch)
    for row, prompt in enumerate(draw._prompt(item) for item in draw._items(0)[0]):
        assert torch.equal(batch.text_BLD[row], encode_prompts(taught, [prompt])[0].hidden)
    assert (read.text_BLD - batch.text_BLD).abs().amax(dim=(1, 2)).min() > 0.01
    assert (read.pooled_BP - batch.pooled_BP).abs().amax(dim=1).min() > 0.01


@pytest.mark.parametrize("negative_prompt", ["", "blurry"])
def test_null_rows_stay_zeros_unless_there_is_a_negative_prompt_to_read(text_settings, taught, negative_prompt):
    base = replace(taught, plain=replace(taught.plain, negative_prompt=negative_prompt))
    draw = drawer(text_settings.model_copy(update={"null_dropout": 1.0}), base)
    batch = draw.train(0)
    read = draw.adapted(batch)
    assert torch.equal(read.text_BLD, batch.text_BLD) == (not negative_prompt)
    assert (read.pooled_BP.abs().max() == 0) == (not negative_prompt)


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


@pytest.mark.parametrize("name", [DIFFUSERS_FILE, KOHYA_FILE])
def test_a_fitted_lora_reloads_into_a_fresh_pipeline(text_settings, tmp_path, name):
    base = load_base(text_settings)
    steps = text_settings.model_copy(update={"learning_rate": 1e-2})
    weights = fit_here(steps, tmp_path / "checkpoints", base=base).weights
    layout = diffusers_layout if name == DIFFUSERS_FILE else kohya_layout
    (tmp_path / name).write_bytes(safetensors_bytes(layout(weights), {}))
    fresh: StableDiffusionXLPipeline = load_base(text_settings).pipe
    plain = probe(replace(base, pipe=fresh))
    fresh.load_lora_weights(tmp_path, weight_name=name)
    hidden, pooled = encoded(fresh)
    with apply_text_lora(base.pipe, TRAINED):
        wanted, wanted_pooled = encoded(base.pipe)
    assert (wanted - encoded(base.pipe)[0]).norm() > 1e-3 * wanted.norm()
    torch.testing.assert_close(hidden, wanted, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(pooled, wanted_pooled, atol=1e-4, rtol=1e-3)
    found = probe(replace(base, pipe=fresh))
    assert (found - plain).norm() > 1e-3 * plain.norm()
    torch.testing.assert_close(found, probe(base), atol=1e-4, rtol=1e-3)


def test_kohyas_names_are_those_that_other_tools_document(taught):
    tensors = trained_text(taught.pipe)
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
    assert set(kohya_layout(trained_text(taught.pipe))) <= set(published)


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
        for parameter in add_fresh(base.pipe.unet, 4, "all", 0) + add_fresh_text(base.pipe, 4, 0):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 2e-2)
            parameter.copy_(parameter.half())
    write(tmp_path, base)
    check_trained(base, tmp_path)


def test_a_stopped_fit_goes_on_to_the_bytes_of_an_unbroken_one(text_settings, tmp_path):
    told: list[int] = []
    with pytest.raises(Interrupted):
        fit_here(text_settings, tmp_path / "a", Watch(lambda step, _: told.append(step), lambda: len(told) >= 1))
    resumed, unbroken = fit_here(text_settings, tmp_path / "a"), fit_here(text_settings, tmp_path / "b")
    assert resumed.weights.keys() == unbroken.weights.keys()
    assert all(torch.equal(tensor, unbroken.weights[name]) for name, tensor in resumed.weights.items())
    assert resumed.curve == unbroken.curve
    ups = [t for name, t in resumed.weights.items() if name.startswith("text_encoder") and "lora_B" in name]
    assert sum(float(tensor.abs().max()) > 0 for tensor in ups) == 4 * (2 + 3)


def test_in_micro_batches_the_step_is_that_of_the_whole_batch(text_settings, tmp_path):
    one = text_settings.model_copy(update={"train_steps": 1})
    whole = fit_here(one, tmp_path / "a")
    parts = fit_here(one.model_copy(update={"micro_batch": 1}), tmp_path / "b")
    assert parts.curve[0]["loss"] == pytest.approx(whole.curve[0]["loss"], rel=1e-5)
    assert parts.curve[0]["gradient_norm"] == pytest.approx(whole.curve[0]["gradient_norm"], rel=1e-3)


def test_a_fit_that_would_never_read_a_prompt_is_refused(text_settings, tmp_path):
    with pytest.raises(BadRequest, match="no prompt is ever read"):
        fit_here(text_settings.model_copy(update={"null_dropout": 1.0}), tmp_path / "a")


def test_without_the_setting_neither_encoders_nor_names_of_checkpoints_nor_files_know_of_it(rated, text_settings, base):
    draw = drawer(rated, base)
    assert draw.train(0).tokens_BEL.numel() == 0
    assert draw.adapted(batch := draw.train(0)) is batch
    assert "lora_text_encoders" not in training_settings(rated)
    assert training_settings(text_settings)["lora_text_encoders"] is True
    with_text = rated.model_copy(update={"lora_text_encoders": True})
    with frozen(rated, base) as manifest:
        folders = {checkpoint_folder(layout_of(rated), manifest, settings) for settings in (rated, with_text)}
    assert len(folders) == 2


def test_an_attached_file_is_without_effect_until_a_rule_puts_it_in_force(taught, base, tmp_path):
    write(tmp_path, taught)
    fresh = load_base(quick_settings(tmp_path))
    for number in range(2):  # a version after the other, as the sampler attaches them
        attach_file(fresh.pipe, tmp_path / DIFFUSERS_FILE, f"v{number}")
        assert torch.equal(probe_text(fresh.pipe), probe_text(base.pipe))
        torch.testing.assert_close(probe_text(fresh.pipe, f"v{number}"), probe_text(taught.pipe, TRAINED))
        detach(fresh.pipe, f"v{number}")
    assert torch.equal(probe_text(fresh.pipe), probe_text(base.pipe))


@pytest.mark.slow
def test_a_whole_retrain_with_text_encoders_publishes_a_version_that_the_sampler_draws_with(text_settings):
    retrain(text_settings.model_copy(update={"learning_rate": 1e-2}))
    engine, layout = open_store(text_settings), layout_of(text_settings)
    version = get_version(engine, 1)
    engine.dispose()
    assert version.settings["lora_text_encoders"] is True
    folder = layout.version_folder(version.sha256)
    assert sum(name.startswith("lora_te2_") for name in load_file(folder / KOHYA_FILE)) == 3 * 4 * 3
    sampler = Sampler(load_base(text_settings), layout)
    drawn = [one.latent for one in sampler.draw(version, PROMPTS, SEEDS)]
    plain = [one.latent for one in sampler.draw(version.model_copy(update={"rule": "plain"}), PROMPTS, SEEDS)]
    (folder / DIFFUSERS_FILE).write_bytes(safetensors_bytes(unet_part(folder), {}))
    without_text = [one.latent for one in Sampler(load_base(text_settings), layout).draw(version, PROMPTS, SEEDS)]
    assert drawn not in (plain, without_text)


def unet_part(folder: Path) -> dict[str, Tensor]:
    return {n: tensor for n, tensor in load_file(folder / DIFFUSERS_FILE).items() if n.startswith("unet.")}
