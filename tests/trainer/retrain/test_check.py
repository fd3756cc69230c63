"""A version's check, from what the halves' LoRAs found; the findings are made by hand."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from feedback.check.halves import half_of
from feedback.check.version_check import How, Judged, VersionCheck, make_check
from feedback.pool.pool import PoolItem
from feedback.retrain.manifest import FrozenManifest
from feedback.sample.tries import cut_of
from store.tables import Role
from tests.trainer.fitting import cache_of, frozen
from tests.trainer.left import published
from trainer.fit.training import Training
from trainer.lora.tensors import TRAINED, trained_tensors
from trainer.retrain.check import MadeCheck, cut_check, expected_change, learn_check
from trainer.retrain.cross_fit import CrossFit, HalfScores, Pictures, draw_pictures, jobs_of
from trainer.retrain.retrain import retrain
from trainer.sample.check import CHECK, Judge

UNJUDGED = Pictures(torch.randn((4, 4, 16, 16), generator=torch.Generator().manual_seed(2)), ["a red star"] * 4)
OF_UNJUDGED = torch.tensor([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0], [3.0, 3.0]])


@pytest.fixture
def training(rated, taught) -> Training:
    with frozen(rated, taught) as manifest:
        return Training(taught, cache_of(rated, taught), manifest, rated)


def made_from(training: Training, find: Callable[[PoolItem], list[float]]) -> MadeCheck:
    """The check, when the halves' LoRAs find that evidence in each picture."""
    items = training.manifest.items
    halves = [
        HalfScores({}, some, torch.tensor([find(item) for item in some]), OF_UNJUDGED)
        for some in (items[::2], items[1::2])
    ]
    return cut_check(training, 1.0, learn_check(training, CrossFit(halves, UNJUDGED)))


def test_with_only_one_verdict_the_check_is_off_and_weighs_as_new_ones_do(training):
    items = tuple(replace(item, role=Role.reject) for item in training.manifest.items)
    one_sided = replace(training, manifest=FrozenManifest("", items))
    check, scored = made_from(one_sided, lambda item: [float(item.image_id), 0.0])
    assert check.how == CHECK
    assert f"there are {len(items)} and 0" in check.off
    assert check.auc is None
    assert [one.item.image_id for one in scored] == sorted(item.image_id for item in items)
    assert (np.diff([one.score for one in scored]) > 0).all()


def test_evidence_that_points_the_wrong_way_leaves_a_check_without_weights_that_is_off(training):
    check, scored = made_from(training, lambda item: [-float(item.role is Role.reject) + item.image_id / 1000] * 2)
    assert check.how == How.at(CHECK.timesteps, CHECK.noises, (0.0, 0.0))
    assert not check.how.asks_the_prompt
    assert check.off.startswith("the check is off: it does not tell rejected pictures from kept ones")
    assert check.auc is not None and check.auc.value == 0.5
    assert [one.score for one in scored] == [0.0] * len(training.manifest.items)
    assert (check.cut, check.is_beyond_cut(9.0), check.chance(9.0)) == (None, False, None)


ON = make_check(CHECK, [Judged(k / 40 + k % 2, k % 2 == 1, f"prompt {k // 4}") for k in range(80)])


def crossed(training: Training) -> CrossFit:
    """Both halves with the LoRA that is attached, on pictures that the plain base has drawn."""
    unjudged = draw_pictures(training, 0.0)
    lora = {name: tensor.clone() for name, tensor in trained_tensors(training.base.pipe.unet).items()}
    half = HalfScores(lora, (), torch.zeros(0, 2), Judge(training.base, TRAINED).evidence(*unjudged))
    return CrossFit([half, half], unjudged)


def test_a_strength_of_nothing_is_expected_to_change_nothing_and_steering_something(training):
    small = training.with_settings(sweep_pictures=4)
    expect = expected_change(small, crossed(small), ON)
    assert ON.is_on
    assert expect(0.0) == pytest.approx(0.0, abs=1e-4)
    assert abs(expect(6.0)) > 1e-3


def test_each_prompt_is_drawn_by_the_lora_of_its_half_and_judged_by_the_other(training):
    small = training.with_settings(sweep_pictures=4)
    whole = crossed(small)
    first, second = whole.halves
    drawn_by_none = {name: torch.zeros_like(tensor) for name, tensor in first.lora.items()}
    blank = first._replace(lora=drawn_by_none, of_unjudged=torch.zeros_like(first.of_unjudged))
    prompts = {half_of(job.prompt) for job in jobs_of(small)}
    before = {name: tensor.clone() for name, tensor in trained_tensors(small.base.pipe.unet).items()}
    changes = [
        expected_change(small, whole._replace(halves=halves), ON)(6.0) for halves in ([blank, second], [first, blank])
    ]
    assert prompts == {0, 1}
    assert changes[0] != changes[1]
    after = trained_tensors(small.base.pipe.unet)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_a_check_that_is_off_or_not_cross_fitted_expects_nothing(training):
    off = VersionCheck(CHECK, "the check is off")
    assert expected_change(training, crossed(training), off)(6.0) is None
    assert expected_change(training, None, ON)(6.0) is None


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["wrong", "trigger"])
def test_a_lora_under_a_trigger_word_gets_a_check_by_its_votes_too(rated, objective):
    word = {"objective": objective, "rule": "woolf", "trigger": "bad one"}
    settings = rated.model_copy(update={"cross_fit": True, **word})
    retrain(settings)
    (version,) = published(settings)
    check = VersionCheck.of(version)
    assert check is not None
    assert check.auc is not None and check.auc.n == 24
    assert check.how == How.at(CHECK.timesteps, CHECK.noises, check.how.weights)
    assert np.isfinite(check.how.weights).all() and min(check.how.weights) >= 0
    assert (check.cut is not None) == check.is_on
    assert (cut_of(version) is None) == (not check.is_on)
