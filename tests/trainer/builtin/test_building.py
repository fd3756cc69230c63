import json

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file

from trainer.builtin import build
from trainer.builtin.running import cosine, shuffled
from trainer.builtin.vae import SDXL_SCALING_FACTOR, encode, new_vae, norm_latents
from trainer.world import pictures


@pytest.mark.slow
def test_a_build_of_a_few_steps_is_a_model_that_samples_and_is_the_same_model_each_time(tmp_path):
    plan = build.Plan(2, build.Course(48, 0.5, 2), build.Course(48, 0.5, 2))
    for name in ("one", "two"):
        build.main(tmp_path / name, seed=5, plan=plan)
    for path in sorted((tmp_path / "one").rglob("*.safetensors")):
        # Sums over threads may end in another last bit; a float16 step of the largest weights is 1e-3.
        torch.testing.assert_close(
            load_file(path), load_file(tmp_path / "two" / path.relative_to(tmp_path / "one")), atol=1e-3, rtol=1e-3
        )
    pipe = StableDiffusionXLPipeline.from_pretrained(tmp_path / "one", use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    assert pipe("a red cat on mint", height=64, width=64, num_inference_steps=2).images[0].size == (64, 64)


def test_saving_replaces_the_weights_and_keeps_the_card(tmp_path):
    pipe = build.new_pipeline(new_vae(), seed=0)
    build.save(pipe, tmp_path / "model")
    (tmp_path / "model" / "README.md").write_text("card")
    (tmp_path / "model" / "old.txt").write_text("old")
    build.save(pipe, tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "README.md").read_text() == "card"
    assert not (tmp_path / "model" / "old.txt").exists()
    assert json.loads((tmp_path / "model" / "naysayer.json").read_text()) == build.DEFAULTS


def test_norming_latents_changes_their_scale_and_not_the_pictures():
    torch.manual_seed(0)
    vae, pixels = new_vae().eval(), torch.from_numpy(pictures(12, 0.5, 0).pixels)
    before = _seen(vae, pixels)
    norm_latents(vae, pixels)
    latents = encode(vae, pixels)
    assert vae.config.scaling_factor == SDXL_SCALING_FACTOR
    assert latents.mean((0, 2, 3)).abs().max() < 1e-3
    assert latents.std((0, 2, 3)) == pytest.approx([1] * 4, abs=1e-3)
    assert torch.allclose(before, _seen(vae, pixels), atol=1e-3)


def test_batches_use_every_row_once_before_any_row_twice():
    rows = torch.cat(list(shuffled(10, 4, 5, seed=0)))
    assert sorted(rows[:10].tolist()) == sorted(rows[10:].tolist()) == list(range(10))


def test_the_learning_rate_rises_and_falls():
    factor = cosine(100, warmup=10)
    assert factor(0) == 0.1 and factor(9) > 0.9 and factor(50) == pytest.approx(0.5) and factor(100) == 0


@torch.no_grad()
def _seen(vae, pixels):
    return vae.decode(encode(vae, pixels) / vae.config.scaling_factor).sample
