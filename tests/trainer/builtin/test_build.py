import json

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file

import bench.compositions
from trainer.builtin import build
from trainer.builtin.vae import new_vae


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


@pytest.mark.slow
def test_another_world_makes_a_model_of_its_own(tmp_path):
    plan = build.Plan(2, build.Course(48, 0.5, 2), build.Course(48, 0.5, 2), guidance=3.0, retouch_steps=1)
    build.main(tmp_path / "model", 5, plan, world=bench.compositions)
    assert json.loads((tmp_path / "model" / "naysayer.json").read_text())["guidance_scale"] == 3.0
    tokens = StableDiffusionXLPipeline.from_pretrained(tmp_path / "model", use_safetensors=True).tokenizer
    assert tokens.tokenize("triangle") == ["triangle</w>"]
    assert build.new_pipeline(new_vae(), 0).tokenizer.tokenize("triangle") != ["triangle</w>"]


def test_saving_replaces_the_weights_and_keeps_the_card(tmp_path):
    pipe = build.new_pipeline(new_vae(), seed=0)
    build.save(pipe, tmp_path / "model")
    (tmp_path / "model" / "README.md").write_text("card")
    (tmp_path / "model" / "old.txt").write_text("old")
    build.save(pipe, tmp_path / "model", guidance=2.5)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "README.md").read_text() == "card"
    assert not (tmp_path / "model" / "old.txt").exists()
    assert json.loads((tmp_path / "model" / "naysayer.json").read_text()) == {"guidance_scale": 2.5, **build.DEFAULTS}
