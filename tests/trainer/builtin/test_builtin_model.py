import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors import safe_open
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from trainer.builtin import measure as measuring
from trainer.world import default_prompts

MODEL = Path(measuring.__file__).parent / "model"
DEFAULTS = json.loads((MODEL / "naysayer.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pipe() -> StableDiffusionXLPipeline:
    pipe = StableDiffusionXLPipeline.from_pretrained(MODEL, use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def claimed() -> tuple[float, float, float]:
    """The model card's share judged wrong and its interval, 0 to 1."""
    card = (MODEL / "README.md").read_text(encoding="utf-8")
    row = re.search(r"^\| all \| \d+ \| ([\d.]+) % \| ([\d.]+)–([\d.]+) % \|", card, re.MULTILINE)
    share, low, high = (float(number) / 100 for number in row.groups())
    return share, low, high


def test_the_model_is_of_sdxls_own_classes(pipe):
    parts = {
        "unet": UNet2DConditionModel,
        "vae": AutoencoderKL,
        "text_encoder": CLIPTextModel,
        "text_encoder_2": CLIPTextModelWithProjection,
        "scheduler": EulerDiscreteScheduler,
    }
    assert {name: type(pipe.components[name]) for name in parts} == parts
    assert pipe.unet.config.addition_embed_type == "text_time"
    assert pipe.config.force_zeros_for_empty_prompt
    assert {part.dtype for part in (pipe.unet, pipe.vae, pipe.text_encoder, pipe.text_encoder_2)} == {torch.float32}


def test_the_model_is_small_and_all_fp16_safetensors():
    files = [path for path in MODEL.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 15e6
    assert {path.suffix for path in files} <= {".json", ".md", ".safetensors"}
    for path in MODEL.rglob("*.safetensors"):
        with safe_open(path, "pt") as weights:
            for name in weights.keys():  # noqa: SIM118 (safe_open is no mapping)
                value = weights.get_tensor(name)
                assert value.dtype == torch.float16 and value.isfinite().all(), name


def test_it_samples_pictures_that_differ_by_seed_and_repeat_by_seed(pipe):
    prompt = default_prompts()[0]
    first, again, other = (
        np.asarray(pipe(prompt, generator=torch.Generator().manual_seed(seed), **DEFAULTS).images[0])
        for seed in (1, 1, 2)
    )
    assert first.shape == (64, 64, 3) and first.std() > 10
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_any_text_has_tokens(pipe):
    for tokenizer in (pipe.tokenizer, pipe.tokenizer_2):
        ids = tokenizer("xylophone Ünïcode 猫 !?").input_ids
        assert tokenizer.unk_token_id not in ids[1:-1]
        assert tokenizer.model_max_length == 77


def test_the_card_claims_a_base_that_is_wrong_between_a_third_and_a_half_of_the_time():
    share, low, high = claimed()
    assert 0.35 <= share <= 0.50 and low < share < high


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_card_is_true_on_fresh_seeds():
    rates = measuring.measure(MODEL, 108, seed=9_000_000)["all"]
    _, low, high = claimed()
    measured_low, measured_high = rates.interval
    assert measured_low < high and low < measured_high
