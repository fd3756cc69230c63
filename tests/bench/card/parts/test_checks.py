from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from diffusers import UNet2DConditionModel

from bench.card.parts import checks
from bench.card.parts.checks import correctness
from trainer.base.model import Base, load_base
from trainer.lora.formats import kohya_layout
from trainer.lora.tensors import TRAINED
from trainer.sample import guidance


@pytest.fixture
def own_base(settings) -> Base:
    return load_base(settings)


def test_every_check_holds_on_the_built_in_model(own_base):
    told: list[str] = []
    found = list(correctness(own_base, 64, told.append))
    assert [one for one in found if not one.holds] == []
    assert (len(found), len(told)) == (7, 8)  # the gradient that two checks compare with is told too
    assert TRAINED not in (getattr(own_base.pipe.unet, "peft_config", None) or {})


def test_a_rule_that_is_wrong_is_found(own_base, monkeypatch):
    monkeypatch.setitem(guidance.RULES, "negative-half", guidance.RULES["woolf"])
    found = {one.name: one.holds for one in correctness(own_base, 64)}
    assert not found["the rule negative-half"]
    assert found["the rule same-prompt"]


def test_a_rule_that_does_nothing_is_found(own_base, monkeypatch):
    monkeypatch.setitem(guidance.RULES, "woolf", None)
    found = {one.name: one for one in correctness(own_base, 64)}
    assert not found["the rule woolf"].holds
    assert found["the rule negative-half"].holds


def test_checkpointing_that_loses_a_gradient_is_found(own_base, monkeypatch):
    monkeypatch.setattr(checks, "checkpoint_blocks", frozen_half)
    found = {one.name: one.holds for one in correctness(own_base, 64)}
    assert not found["the gradient with checkpointing"]
    assert found["the gradient in smaller passes"]


def test_nan_that_a_kernel_hides_is_found(own_base):
    handle = own_base.pipe.unet.register_forward_hook(lambda unet, args, output: (torch.nan_to_num(output[0]),))
    found = {one.name: one for one in correctness(own_base, 64)}
    handle.remove()
    assert not found["NaN in a weight is seen"].holds
    assert found["NaN in a weight is seen"].words == "the prediction is finite"


def test_a_file_that_reloads_to_another_network_is_found(own_base, monkeypatch):
    monkeypatch.setattr(checks, "kohya_layout", lambda weights: kohya_layout({n: -w for n, w in weights.items()}))
    found = {one.name: one for one in correctness(own_base, 64)}
    assert found["both files reload"].holds  # both factors negative: the same product
    monkeypatch.setattr(checks, "kohya_layout", lambda weights: kohya_layout({n: 2 * w for n, w in weights.items()}))
    found = {one.name: one for one in correctness(own_base, 64)}
    assert not found["both files reload"].holds
    assert "naysayer_kohya.safetensors reloads to another network" in found["both files reload"].words


@contextmanager
def frozen_half(unet: UNet2DConditionModel, is_wanted: bool) -> Iterator[None]:
    """Inside it the second half of the adapter has no gradient: a way to lose one."""
    trained = [parameter for name, parameter in unet.named_parameters() if "lora_B" in name]
    handles = [parameter.register_hook(torch.zeros_like) for parameter in trained[len(trained) // 2 :]]
    yield
    for handle in handles:
        handle.remove()
