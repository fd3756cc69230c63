import torch
from accelerate import Accelerator
from torch import nn

from store.settings import Settings
from trainer.fit.checkpoint import State, newest_checkpoint, save_checkpoint
from trainer.fit.learner import Learner, learning_rate

TARGET = torch.randn((3, 4096), generator=torch.Generator().manual_seed(1))
SETTINGS = Settings(_env_file=None, train_steps=40)  # type: ignore[call-arg]


def learner_of(settings: Settings = SETTINGS) -> Learner:
    start = torch.randn((3, 4096), generator=torch.Generator().manual_seed(0))
    return Learner([nn.Parameter(start), nn.Parameter(start[:, :64].clone())], settings, Accelerator(cpu=True))


def learn(learner: Learner, steps: range) -> None:
    for step in steps:
        learner.set_rate(step)
        whole, part = learner.parameters
        ((whole - TARGET).pow(2).mean() + (part - TARGET[:, :64]).abs().mean()).backward()
        learner.step()


def test_it_resumes_from_a_checkpoint_to_the_same_bytes(tmp_path):
    unbroken, before, after = (learner_of() for _ in range(3))
    learn(unbroken, range(9))
    learn(before, range(4))
    save_checkpoint(tmp_path, State(4, [], before.state()))
    after.restore(newest_checkpoint(tmp_path).learned)
    learn(after, range(4, 9))
    for found, wanted in zip(after.parameters, unbroken.parameters, strict=True):
        assert torch.equal(found, wanted)


def test_it_lowers_the_loss():
    learner = learner_of(SETTINGS.model_copy(update={"learning_rate": 0.02, "train_steps": 200}))
    before = (learner.parameters[0] - TARGET).pow(2).mean().item()
    learn(learner, range(200))
    assert (learner.parameters[0] - TARGET).pow(2).mean().item() < 0.9 * before


def test_the_learning_rate_rises_then_falls_to_zero():
    rates = [learning_rate(SETTINGS, step) for step in range(40)]
    assert rates[0] < rates[1] == max(rates) <= SETTINGS.learning_rate
    assert rates[-1] < 0.01 * max(rates)
