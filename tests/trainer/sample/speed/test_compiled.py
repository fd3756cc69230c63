"""Compiled blocks draw what uncompiled ones draw, under every rule, strength and adapter."""

import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch._dynamo.utils import counters

from feedback.sample.work import Job
from feedback.versions import get_version
from store.layout import layout_of
from store.migrate import open_store
from trainer.base.model import load_base
from trainer.lora.tensors import TRAINED, add_fresh
from trainer.sample.adapter_rows import Adapter, make_forwards
from trainer.sample.guidance import RULES, Steering
from trainer.sample.sampler import Sampler, sample_latents
from trainer.sample.speed.compiled import CACHE, compiled_blocks

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # torch's own, on import
JOBS = [Job("a big red star on a blue background", 1), Job("a small green hand", 2)]


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(tmp_path_factory.mktemp("compiled")))
        yield
    torch._dynamo.reset()


def fill(base, seed: int, *, is_new: bool = False) -> None:
    """Writes an adapter's weights, which have an effect."""
    named = base.pipe.unet.named_parameters
    weights = add_fresh(base.pipe.unet, 4, "attention", seed=0) if is_new else [p for n, p in named() if "lora_" in n]
    with torch.no_grad():
        for weight in weights:
            weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed)) * 0.05)
    base.pipe.unet.disable_adapters()


def drawn(base, rule="plain", strength=0.0, *, is_compiled: bool, is_low_rank: bool = False):
    steering = Steering(base.pipe.unet, TRAINED, rule, strength, keeps_text=not is_compiled)
    if is_low_rank:
        adapter = Adapter(TRAINED, steering.scale)
        steering.forwards = make_forwards(base.pipe.unet, adapter, RULES[rule], None, is_merged=False)
    with compiled_blocks(base.pipe.unet) if is_compiled else nullcontext():
        return sample_latents(base, JOBS, replace(base.plain, rule=rule, strength=strength), steering)


@pytest.mark.slow
def test_every_rule_strength_and_adapter_draws_the_same_compiled_and_none_reuses_anothers_weights(own_base):
    def compare(*how) -> tuple[torch.Tensor, int]:
        """The compiled drawing, and how many forms were compiled for it."""
        before = counters["stats"]["unique_graphs"]
        compiled = drawn(own_base, *how, is_compiled=True)
        torch.testing.assert_close(compiled, drawn(own_base, *how, is_compiled=False), atol=2e-3, rtol=1e-3)
        return compiled, counters["stats"]["unique_graphs"] - before

    _, first = compare()
    fill(own_base, 1, is_new=True)
    compare()
    one, _ = compare("same-prompt", 2.0)
    other, none = compare("same-prompt", 3.0)
    half, _ = compare("negative-half", 0.7)
    stronger, again_none = compare("negative-half", 2.0)
    fill(own_base, 2)
    another, still_none = compare("same-prompt", 2.0)
    last, _ = compare()
    assert first == 1
    assert (none, again_none, still_none) == (0, 0, 0)
    for a, b in ((one, other), (half, stronger), (one, another), (one, last)):
        assert (a - b).abs().max() > 0.01


def test_the_blocks_are_compiled_only_inside(base):
    def compiled() -> int:
        return sum(module._compiled_call_impl is not None for module in base.pipe.unet.modules())

    with compiled_blocks(base.pipe.unet):
        assert compiled() == 4
    assert compiled() == 0


@pytest.mark.slow
def test_the_low_rank_form_and_the_lora_on_every_row_draw_the_same_compiled(own_base):
    fill(own_base, 1, is_new=True)
    for rule, strength, is_low_rank in (("same-prompt", 2.0, True), ("same-prompt", 3.0, True), ("woolf", 0.7, False)):
        both = [drawn(own_base, rule, strength, is_compiled=one, is_low_rank=is_low_rank) for one in (True, False)]
        torch.testing.assert_close(*both, atol=2e-3, rtol=1e-3)


@pytest.mark.slow
def test_only_a_whole_batch_is_compiled_and_the_pictures_say_so(rated):
    settings = rated.model_copy(update={"compile": True, "sample_batch": 2})
    engine = open_store(settings)
    plain, sampler = get_version(engine, 0), Sampler(load_base(settings), layout_of(settings))
    engine.dispose()
    torch._dynamo.reset()
    counters.clear()
    sampler.draw_latents(plain, JOBS[:1])
    assert counters["stats"]["unique_graphs"] == 0
    sampler.draw_latents(plain, JOBS)
    assert counters["stats"]["unique_graphs"] == 1
    assert sampler.drawing_of(plain).conditions.is_compiled


TRIAL = """
import sys, time, logging
from pathlib import Path
from torch._dynamo.utils import counters
from feedback.sample.work import Job
from store.layout import layout_of
from store.tables import Version
from tests.trainer.conftest import quick_settings
from trainer.base.model import load_base
from trainer.sample.sampler import Sampler

logging.basicConfig()
settings = quick_settings(Path(sys.argv[1]), compile=True, sample_batch=1)
sampler = Sampler(load_base(settings), layout_of(settings))
[latent] = sampler.draw_latents(Version(number=0, base_model="", base_sha256=""), [Job("a star", 1)])
print(counters["inductor"]["fxgraph_cache_hit"], counters["inductor"]["fxgraph_cache_miss"])
print(sampler.base.plain.conditions.is_compiled, float(latent.std()))
"""


def in_another_process(folder: Path, **environment: str) -> tuple[str, str]:
    command, root = [sys.executable, "-c", TRIAL, str(folder)], str(Path(__file__).parents[4])
    found = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": root} | environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout, found.stderr


@pytest.mark.slow
def test_a_second_process_finds_what_the_first_one_compiled(tmp_path):
    cache = {CACHE: str(tmp_path / "cache")}
    first, _ = in_another_process(tmp_path, **cache)
    second, _ = in_another_process(tmp_path, **cache)
    assert (first.splitlines()[0], second.splitlines()[0]) == ("0 1", "1 0")


@pytest.mark.slow
def test_without_a_compiler_one_sentence_is_said_and_pictures_are_drawn_uncompiled(tmp_path):
    said, log = in_another_process(tmp_path, **{CACHE: str(tmp_path / "cache")}, CXX="/nowhere/g++", PATH="/nowhere")
    assert said.splitlines()[1].startswith("None ")
    [line] = [line for line in log.splitlines() if "NAYSAYER_COMPILE" in line]
    assert "install a C++ compiler (g++), or turn it off" in line
