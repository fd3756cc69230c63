import pytest
import torch

from bench.card.parts import fits
from bench.card.parts.fits import refused_when_nan, repeatable, same_bytes, same_losses
from trainer.fit.fit import Fitted
from trainer.fit.learner import Learner
from trainer.lora.tensors import TRAINED


def quiet(name: str) -> None:
    """Tells nobody."""


def test_a_fit_resumes_and_repeats_on_the_built_in_model(subject):
    resumed, again = repeatable(subject, quiet)
    assert resumed.holds and again.holds, (resumed.words, again.words)
    assert "differ by at most 0.0e+00" in resumed.words
    assert TRAINED not in (getattr(subject.base.pipe.unet, "peft_config", None) or {})


@pytest.mark.slow
def test_a_resume_that_forgets_its_parameters_is_found(subject, monkeypatch):
    def forget(learner: Learner, state: dict[str, object]) -> None:
        """It goes on from the fresh adapter."""

    monkeypatch.setattr(Learner, "restore", forget)
    resumed, again = repeatable(subject, quiet)
    assert not resumed.holds
    assert again.holds


@pytest.mark.slow
def test_a_fit_with_a_chance_of_its_own_is_not_deterministic(subject, monkeypatch):
    step, chance = Learner.step, torch.Generator().manual_seed(1)

    def stray(learner: Learner) -> None:
        step(learner)
        with torch.no_grad():
            learner.parameters[0].add_(torch.rand(1, generator=chance) * 1e-3)

    monkeypatch.setattr(Learner, "step", stray)
    resumed, again = repeatable(subject, quiet)
    assert not again.holds
    assert "0.0e+00" not in resumed.words


def test_one_bit_more_is_another_adapter():
    weights = {"up": torch.ones(3), "down": torch.zeros(3)}
    other = weights | {"up": torch.tensor([1.0, 1.0, 1.0000001])}
    assert same_bytes(Fitted(weights, []), Fitted(weights, [])).holds
    found = same_bytes(Fitted(other, []), Fitted(weights, []))
    assert not found.holds
    assert "1 of which differ" in found.words


def test_losses_that_differ_by_more_than_rounding_are_not_the_same():
    one, other = (Fitted({}, [{"loss": loss}]) for loss in (0.5, 0.5001))
    assert not same_losses(one, other).holds
    assert same_losses(one, one).holds


@pytest.mark.slow
def test_a_retrain_that_diverges_is_refused_and_nothing_is_published(subject):
    [found] = refused_when_nan(subject, quiet)
    assert found.holds
    assert found.words.startswith("the loss became nan at step 2")
    assert "no version was made" in found.words


@pytest.mark.slow
def test_a_retrain_that_does_not_diverge_is_no_refusal(subject, monkeypatch):
    monkeypatch.setattr(fits, "DIVERGES", 1e-4)
    [found] = refused_when_nan(subject, quiet)
    assert not found.holds
    assert found.words == "it was not refused; the run is done"
