import os

import pytest
import torch
from accelerate.state import AcceleratorState

from store.errors import NonFiniteLoss, OutOfMemory
from store.tables import RunStatus
from tests.trainer.children import DONE, OUR_ERROR, limit_memory, retrain_child, retrain_in_a_small_memory, run
from tests.trainer.fitting import drawer, fit_here
from tests.trainer.left import folders, last_run, published
from trainer.base.memory import advise_on_memory, checkpoint_blocks, halve_until_fits, memory_advice
from trainer.base.model import load_base
from trainer.fit.fit import Watch
from trainer.fit.loss import loss_of
from trainer.lora.tensors import add_fresh

CHUNK = 16 * 2**20
"""Bytes that one row takes in the tests of a full memory."""


def fill(rows: int) -> int:
    return len(torch.ones(rows * CHUNK // 4)) * 4 // CHUNK


def halve_until_it_fits() -> None:
    limit_memory(5 * CHUNK)
    os._exit(halve_until_fits(fill, 32)[1])


def test_rows_are_halved_until_a_real_allocation_fits():
    assert run(halve_until_it_fits) == 4  # in a fresh process: what a copy of this one left in memory would fit as well


@pytest.mark.parametrize("objective", ["nft", "sft", "anchored"])
def test_in_micro_batches_a_step_has_the_loss_and_the_gradient_of_the_whole_batch(objective, rated, tmp_path):
    settings = rated.model_copy(update={"train_batch": 5, "train_steps": 2, "objective": objective})
    whole = fit_here(settings, tmp_path / "a").curve
    parts = fit_here(settings.model_copy(update={"micro_batch": 2}), tmp_path / "b").curve
    for one, other in zip(whole, parts, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert other["gradient_norm"] == pytest.approx(one["gradient_norm"], rel=1e-4)


def test_with_gradient_checkpointing_the_gradient_is_the_same_and_less_is_kept(rated, own_base):
    settings = rated.model_copy(update={"objective": "sft"})
    draw, unet = drawer(settings, own_base), own_base.pipe.unet
    batch = draw.train(0)
    parameters = add_fresh(unet, 2, "all", 0)
    kept, gradients = [], []
    for is_wanted in (False, True):
        storages: dict[int, int] = {}

        def keep(tensor, storages=storages):
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with checkpoint_blocks(unet, is_wanted), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = loss_of(unet, batch, draw)
            kept.append(sum(storages.values()))
        loss.backward()
        gradients.append([parameter.grad.clone() for parameter in parameters])
        for parameter in parameters:
            parameter.grad = None
    assert kept[1] < 0.6 * kept[0]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_a_fit_with_checkpointing_gives_the_bytes_of_one_without(rated, tmp_path):
    short = rated.model_copy(update={"train_steps": 2})
    plain = fit_here(short, tmp_path / "a").weights
    saving = fit_here(short.model_copy(update={"gradient_checkpointing": True}), tmp_path / "b").weights
    assert all(torch.equal(plain[name], saving[name]) for name in plain)


def test_the_deterministic_mode_holds_while_fitting_and_no_longer(rated, tmp_path):
    found: list[bool] = []
    watch = Watch(lambda step, _: found.append(torch.are_deterministic_algorithms_enabled()))
    settings = rated.model_copy(update={"deterministic": True, "train_steps": 1})
    fit_here(settings, tmp_path / "a", watch)
    assert found == [True]
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_advice_names_what_is_not_yet_lowered_and_how_much_it_frees(rated, own_base):
    parameters = add_fresh(own_base.pipe.unet, 16, "all", 0)
    large = rated.model_copy(update={"lora_rank": 16})
    told = "; ".join(memory_advice(own_base.pipe.unet, parameters, large))
    assert "NAYSAYER_GRADIENT_CHECKPOINTING=1" in told
    assert "NAYSAYER_BASE_QUANTIZATION=fp8 frees" in told
    assert "NAYSAYER_LORA_RANK=8" in told
    low = large.model_copy(update={"gradient_checkpointing": True, "lora_rank": 4})
    left = "; ".join(memory_advice(own_base.pipe.unet, parameters, low))
    assert "CHECKPOINTING" not in left


def test_a_bf16_base_is_fitted_with_a_float32_adapter(rated, tmp_path):
    half, kinds = rated.model_copy(update={"dtype": "bf16", "train_steps": 2}), set()
    AcceleratorState._reset_state()  # a process has one precision; this one had another
    base = load_base(half)

    def look(step: int, steps: int) -> None:
        kinds.update((parameter.requires_grad, parameter.dtype) for parameter in base.pipe.unet.parameters())

    fitted = fit_here(half, tmp_path / "a", Watch(look), base=base)
    AcceleratorState._reset_state()
    assert kinds == {(True, torch.float32), (False, torch.bfloat16)}
    assert all(torch.isfinite(tensor).all() and tensor.dtype == torch.float32 for tensor in fitted.weights.values())


@pytest.mark.gpu
def test_while_fitting_the_encoders_are_off_the_device_and_then_back(rated, tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    base = load_base(rated)
    encoders, found = (base.pipe.vae, base.pipe.text_encoder, base.pipe.text_encoder_2), set()
    watch = Watch(lambda step, steps: found.update(encoder.device.type for encoder in encoders))
    fit_here(rated.model_copy(update={"train_steps": 1}), tmp_path / "a", watch, base=base)
    assert found == {"cpu"}
    assert {encoder.device.type for encoder in encoders} == {"cuda"}


@pytest.mark.slow
def test_a_retrain_that_runs_out_of_memory_says_what_to_lower_and_leaves_no_version(rated):
    large = rated.model_copy(update={"train_batch": 150_000, "train_steps": 1})
    assert run(retrain_in_a_small_memory, large, 2**30) == OUR_ERROR
    assert last_run(rated).status is RunStatus.failed
    assert last_run(rated).message.startswith("out of memory")
    assert "NAYSAYER_GRADIENT_CHECKPOINTING=1" in last_run(rated).message
    assert published(rated) == []
    assert folders(rated) == set()
    assert run(retrain_child, rated) == DONE
    assert len(published(rated)) == 1


def test_other_errors_are_not_taken_for_a_full_memory():
    with pytest.raises(RuntimeError, match="shapes"), advise_on_memory(lambda: []):
        raise RuntimeError("shapes do not fit")
    with pytest.raises(OutOfMemory, match=r"memory is full.*that"), advise_on_memory(lambda: ["that"]):
        raise MemoryError


def test_weights_that_overflow_stop_the_fit_before_the_next_step(rated, tmp_path):
    told: list[int] = []
    settings = rated.model_copy(update={"learning_rate": 1e30, "checkpoint_every": 100})
    with pytest.raises(NonFiniteLoss, match="no version was made"):
        fit_here(settings, tmp_path / "a", Watch(lambda step, _: told.append(step)))
    assert told == [1]
    assert not (tmp_path / "a").exists()
