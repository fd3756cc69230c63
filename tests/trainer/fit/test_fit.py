import json
import math
from dataclasses import replace

import pytest
import torch
from sqlmodel import select

from store.engine import writing
from store.errors import Interrupted, NonFiniteLoss
from store.migrate import open_store
from store.tables import Prompt, Split
from tests.trainer.fitting import drawer, fit_here
from trainer.fit.batches import sureness
from trainer.fit.cache import null_prompt
from trainer.fit.fit import Watch
from trainer.lora.tensors import trained_tensors


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_same_manifest_and_seed_give_the_same_bytes(rated, tmp_path):
    first, second = fit_here(rated, tmp_path / "a"), fit_here(rated, tmp_path / "b")
    assert equal(first.weights, second.weights)
    assert json.dumps(first.curve) == json.dumps(second.curve)
    assert any(tensor.abs().max() > 0 for name, tensor in first.weights.items() if "lora_B" in name)


def test_prompts_with_weights_and_long_ones_are_trained_on_as_they_are_read(rated, tmp_path):
    engine = open_store(rated)
    with writing(engine) as session:
        for number, prompt in enumerate(session.exec(select(Prompt))):
            prompt.text = f"({prompt.text}:1.5)" if number % 2 else f"{prompt.text}, {'a red star, ' * 40}"
    engine.dispose()
    fits = [
        fit_here(rated.model_copy(update={"train_steps": 2, "prompt_weighting": how}), tmp_path / how)
        for how in ("a1111", "off")
    ]
    assert not equal(fits[0].weights, fits[1].weights)
    assert all(math.isfinite(point["loss"]) for point in fits[0].curve)


@pytest.mark.slow
def test_another_seed_gives_another_adapter(rated, tmp_path):
    other = rated.model_copy(update={"seed": 1})
    assert not equal(fit_here(rated, tmp_path / "a").weights, fit_here(other, tmp_path / "b").weights)


@pytest.mark.slow
def test_a_stopped_fit_goes_on_to_the_weights_of_an_unbroken_one(rated, tmp_path):
    told: list[int] = []
    stopping = Watch(lambda step, _: told.append(step), lambda: len(told) >= 2)
    with pytest.raises(Interrupted, match="stopped at step 3 of 6"):
        fit_here(rated, tmp_path / "a", stopping)
    resumed = fit_here(rated, tmp_path / "a", Watch(lambda step, _: told.append(step)))
    assert told == [1, 2, 3, 4, 5, 6]
    unbroken = fit_here(rated, tmp_path / "b")
    assert equal(resumed.weights, unbroken.weights)
    assert resumed.curve == unbroken.curve


def test_a_non_finite_loss_stops_before_the_step(rated, own_base, tmp_path):
    done: list[int] = []

    def break_the_adapter_after_two(step: int, _: int) -> None:
        done.append(step)
        if step == 2:
            for parameter in trained_tensors(own_base.pipe.unet).values():
                parameter.data.fill_(math.nan)

    settings = rated.model_copy(update={"checkpoint_every": 100})
    with pytest.raises(NonFiniteLoss, match="nan at step 3"):
        fit_here(settings, tmp_path / "a", Watch(break_the_adapter_after_two), base=own_base)
    assert done == [1, 2]
    assert not (tmp_path / "a").exists()


def test_the_curve_is_kept_and_only_the_newest_checkpoint(rated, tmp_path):
    curve = fit_here(rated, tmp_path / "a").curve
    assert [point["step"] for point in curve] == [1, 2, 3, 4, 5, 6]
    assert all(point["loss"] > 0 and point["gradient_norm"] > 0 for point in curve)
    assert [("held_out" in point) for point in curve] == [False, True, False, True, False, True]
    assert [folder.name for folder in (tmp_path / "a").iterdir()] == ["step-000006"]


def test_batches_are_half_rejects_and_of_the_noisier_timesteps(rated, base):
    draw = drawer(rated.model_copy(update={"train_batch": 8}), base)
    for step in range(20):
        batch = draw.train(step)
        assert batch.is_reject_B.sum() == 4
        assert (batch.timesteps_B >= rated.min_timestep).all()
        assert batch.time_ids_B6.tolist() == [[64, 64, 0, 0, 64, 64]] * 8


def test_a_step_has_the_same_batch_however_often_it_is_drawn(rated, base):
    draw = drawer(rated, base)
    for first, again in zip(draw.train(3), draw.train(3), strict=True):
        assert torch.equal(first, again)
    assert not torch.equal(draw.train(3).noisy_BCHW, draw.train(4).noisy_BCHW)


def test_without_keeps_the_objective_is_sft(rated, base):
    draw = drawer(rated, base)
    assert draw.objective == "nft"
    draw.keeps = []
    assert draw.objective == "sft"
    assert draw.train(0).is_reject_B.all()


def test_held_out_items_never_come_into_a_training_batch(rated, base):
    draw = drawer(rated, base)
    assert {item.split for item in draw.rejects + draw.keeps} == {Split.train}
    assert {item.split for item in draw.held_out} == {Split.held_out}


def test_the_null_rows_are_those_the_sampler_uses(rated, base):
    draw = drawer(rated.model_copy(update={"null_dropout": 1.0}), base)
    assert draw.train(0).text_BLD.abs().max() == 0  # SDXL's zeros for an empty negative prompt
    assert null_prompt(base).pooled.abs().max() == 0


def test_a_verdict_that_raters_agree_on_weighs_more(rated, own_base):
    item = drawer(rated, own_base).rejects[0]
    weights = sureness([replace(item, weight=1.0), replace(item, weight=2 / 3)])
    torch.testing.assert_close(weights, torch.tensor([1.5, 0.5]))


def test_a_picture_of_another_base_weighs_as_much_less_as_its_factor_says(rated, own_base):
    item = drawer(rated, own_base).rejects[0]
    weights = sureness([item, replace(item, factor=0.5), replace(item, weight=0.75, factor=0.5)])
    torch.testing.assert_close(weights[1:] / weights[0], torch.tensor([0.5, 0.25]))
