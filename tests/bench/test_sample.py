from pathlib import Path

import pytest
import torch

from bench.sample import _inputs, _predict, _two_passes, adapted, bench_sample, interleaved, table
from tests.trainer.conftest import quick_settings
from trainer.base.model import load_base
from trainer.lora.tensors import TRAINED
from trainer.sample.guidance import RULES, Steering


def test_the_forms_take_turns_and_the_first_round_does_not_count():
    turns: list[str] = []
    times = interleaved({name: lambda name=name: turns.append(name) for name in "ab"}, 2, torch.device("cpu"))
    assert [sorted(turns[start : start + 2]) for start in (0, 2, 4)] == [["a", "b"]] * 3
    assert {name: len(seconds) for name, seconds in times.items()} == {"a": 2, "b": 2}


@torch.inference_mode()
def test_two_passes_with_swapped_weights_predict_what_one_call_does():
    settings = quick_settings(Path("unused"))
    network = adapted(load_base(settings).pipe.unet, settings)
    call = _inputs(network.stock, 4, 16)
    lora, base = (found[0] for found in _two_passes(network.adapted, RULES["negative-half"], call)())
    together = _predict(network.adapted, call, Steering(network.adapted, TRAINED, "negative-half", 1.0))[0]
    torch.testing.assert_close(torch.cat([lora, base]), together, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(_predict(network.adapted, call)[0], _predict(network.stock, call)[0])


@pytest.mark.slow
def test_the_bench_names_the_overheads_of_both_rules():
    found = bench_sample(quick_settings(Path("unused")), 1, 1, 2, is_wide=False)
    assert {"negative_half_overhead", "same_prompt_overhead"} <= found.keys()
    first, second = found["by_process"]["same_prompt_overhead"]
    assert found["same_prompt_overhead"] == (first + second) / 2
    assert found["images_per_s"].keys() == {"stock", "plain", "negative-half", "same-prompt"}
    assert "same-prompt" in table(found)
