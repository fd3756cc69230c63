import json
import math

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from store.errors import NotInstalled
from store.settings import Settings
from tests.trainer.fitting import fit_here
from trainer.fit import learner
from trainer.fit.checkpoint import State, newest_checkpoint, save_checkpoint
from trainer.fit.fit import Watch
from trainer.fit.learner import Learner, learning_rate, require_optimizer

OPTIMIZERS = [
    "adamw",
    "prodigy",
    "adafactor",
    "schedule-free",
    pytest.param("adamw8bit", marks=pytest.mark.skipif(not learner.find_spec("bitsandbytes"), reason="not installed")),
]
TARGET = torch.randn((3, 4096), generator=torch.Generator().manual_seed(1))


def learner_of(settings: Settings) -> Learner:
    start = torch.randn((3, 4096), generator=torch.Generator().manual_seed(0))
    return Learner([nn.Parameter(start), nn.Parameter(start[:, :64].clone())], settings, Accelerator(cpu=True))


def learn(who: Learner, steps: range) -> None:
    for step in steps:
        who.set_rate(step)
        whole, part = who.parameters
        ((whole - TARGET).pow(2).mean() + (part - TARGET[:, :64]).abs().mean()).backward()
        who.step()


def settings_for(optimizer: str, **changes: object) -> Settings:
    return Settings(_env_file=None, optimizer=optimizer, train_steps=40, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimiser_goes_on_from_a_checkpoint_to_the_same_bytes(optimizer, tmp_path):
    settings = settings_for(optimizer, ema_decay=0.9)
    unbroken, before, after = (learner_of(settings) for _ in range(3))
    learn(unbroken, range(9))
    learn(before, range(4))
    save_checkpoint(tmp_path, State(4, [], before.state()))
    after.restore(newest_checkpoint(tmp_path).learned)
    learn(after, range(4, 9))
    for who in (unbroken, after):
        who.settle()
    for found, wanted in zip(after.parameters, unbroken.parameters, strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimiser_learns(optimizer):
    rate = 1.0 if optimizer == "prodigy" else 0.02  # prodigy finds its own, from a very small one on
    who = learner_of(settings_for(optimizer, learning_rate=rate).model_copy(update={"train_steps": 200}))
    before = (who.parameters[0] - TARGET).pow(2).mean().item()
    learn(who, range(200))
    who.settle()
    assert (who.parameters[0] - TARGET).pow(2).mean().item() < 0.9 * before


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["prodigy", "schedule-free"])
def test_a_stopped_fit_goes_on_to_the_same_bytes_with_other_optimisers(optimizer, rated, tmp_path):
    settings = rated.model_copy(update={"optimizer": optimizer, "ema_decay": 0.5})
    told: list[int] = []
    with pytest.raises(Exception, match="stopped at step 3 of 6"):
        fit_here(settings, tmp_path / "a", Watch(lambda step, _: told.append(step), lambda: len(told) >= 2))
    resumed, unbroken = fit_here(settings, tmp_path / "a"), fit_here(settings, tmp_path / "b")
    assert json.dumps(resumed.curve) == json.dumps(unbroken.curve)
    assert all(torch.equal(resumed.weights[name], tensor) for name, tensor in unbroken.weights.items())


def test_the_published_weights_are_the_running_average_and_measuring_them_changes_nothing():
    who = learner_of(settings_for("adamw", ema_decay=0.5, learning_rate=0.1))
    average = who.parameters[0].detach().clone()
    for step in range(30):
        learn(who, range(step, step + 1))
        decay = min(0.5, (1 + step) / (10 + step)) if step else 0.0
        average += (1 - decay) * (who.parameters[0].detach() - average)
    latest = who.parameters[0].detach().clone()
    with who.as_published():
        torch.testing.assert_close(who.parameters[0].detach(), average)
        assert not torch.equal(who.parameters[0], latest)
    assert torch.equal(who.parameters[0], latest)


def test_without_an_average_what_is_published_is_the_latest():
    who = learner_of(settings_for("adamw"))
    learn(who, range(3))
    latest = who.parameters[0].detach().clone()
    who.settle()
    assert torch.equal(who.parameters[0], latest)


def test_the_learning_rate_rises_then_falls_to_zero_but_for_schedule_free():
    cosine, free = settings_for("adamw"), settings_for("schedule-free")
    rates = [learning_rate(cosine, step) for step in range(40)]
    assert rates[0] < rates[1] == max(rates)
    assert rates[-1] < 0.01 * max(rates)
    assert learning_rate(free, 39) == learning_rate(free, 1) == free.learning_rate_used == 5e-4
    assert settings_for("prodigy").learning_rate_used == 1
    assert math.isclose(settings_for("prodigy", learning_rate=0.5).learning_rate_used, 0.5)


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr(learner, "find_spec", lambda name: None)
    with pytest.raises(NotInstalled, match=r"NAYSAYER_OPTIMIZER is prodigy, .* package prodigyopt,.*pip install"):
        require_optimizer(settings_for("prodigy"))
    require_optimizer(settings_for("adamw"))
