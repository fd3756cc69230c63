from dataclasses import replace

import pytest
import torch
from diffusers import EulerDiscreteScheduler

from feedback.pool.pool import PoolItem
from feedback.retrain.manifest import FrozenManifest
from store.errors import RetrainError
from store.tables import Role
from tests.trainer.fitting import cache_of, drawer, fit_here, frozen
from trainer.fit.batches import Batch, BatchDrawer, Fraction
from trainer.fit.pairing import similarity
from trainer.fit.training import Training


def with_schedule(base, **changes):
    """The base under another noise schedule, as a checkpoint's own configuration would give it."""
    pipe = base.pipe
    pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config, **changes)
    return replace(base, pipe=pipe)


def zero_terminal(base):
    return with_schedule(base, rescale_betas_zero_snr=True, timestep_spacing="trailing", prediction_type="v_prediction")


@pytest.mark.parametrize("processes", [2, 3])
def test_the_fractions_of_all_processes_are_the_batch_of_one(rated, base, processes):
    settings = rated.model_copy(update={"train_batch": 7})
    whole = drawer(settings, base).train(3)
    fractions = [drawer(settings, base, Fraction(number, processes)).train(3) for number in range(processes)]
    for name, tensor in zip(Batch._fields, whole, strict=True):
        for number, part in enumerate(fractions):
            assert torch.equal(getattr(part, name), tensor[number::processes]), name


def pairs(draw: BatchDrawer, steps: int) -> list[tuple[PoolItem, PoolItem]]:
    """The rejects and keeps that stand beside each other."""
    found = []
    for step in range(steps):
        items, _ = draw._items(step)
        found += zip(items, items[-draw.keeps_a_step :], strict=False)
    return found


def test_prompts_of_several_lengths_stand_in_one_batch(rated, base):
    draw = drawer(rated.model_copy(update={"null_dropout": 0.0, "mismatched": 0.0}), base)
    draw.rejects = [replace(item, prompt=f"{item.prompt}, {'a red star, ' * 40}") for item in draw.rejects]
    batch = draw.train(3)
    assert batch.text_BLD.shape[1] == 3 * 77
    for text, is_reject in zip(batch.text_BLD, batch.is_reject_B, strict=True):
        assert torch.equal(text[:77], text[77:154]) is not bool(is_reject)  # a short one is repeated


def unprompted_rows(draw: BatchDrawer, batch: Batch) -> list[bool]:
    return [torch.equal(text, draw.null_prompt.hidden) for text in batch.text_BLD]


def test_a_keep_gets_the_noise_timestep_and_prompt_dropout_of_the_reject_it_is_paired_with(rated, base):
    draw = drawer(rated.model_copy(update={"train_batch": 7, "null_dropout": 0.5}), base)
    batch = draw.train(3)
    assert batch.is_reject_B.tolist() == [True] * 4 + [False] * 3
    assert torch.equal(batch.target_BCHW[:3], batch.target_BCHW[4:])
    assert torch.equal(batch.timesteps_B[:3], batch.timesteps_B[4:])
    is_unprompted = unprompted_rows(draw, batch)
    assert is_unprompted[:3] == is_unprompted[4:]
    assert len(set(batch.timesteps_B[:4].tolist())) > 1


def test_without_the_nft_objective_every_row_has_its_own_noise(rated, base):
    batch = drawer(rated.model_copy(update={"objective": "anchored", "train_batch": 8}), base).train(3)
    assert len({float(row.sum()) for row in batch.target_BCHW}) == 8


def test_a_reject_is_paired_with_a_keep_of_a_similar_prompt(rated, base):
    draw = drawer(rated.model_copy(update={"mismatched": 0.0}), base)
    paired = [similarity(reject.prompt, keep.prompt) for reject, keep in pairs(draw, 40)]
    anyhow = [similarity(reject.prompt, keep.prompt) for reject in draw.rejects for keep in draw.keeps]
    assert sum(paired) / len(paired) > 1.5 * sum(anyhow) / len(anyhow)


def test_some_rejects_are_the_keep_itself_under_a_similar_prompt_of_the_pool(rated, base):
    draw = drawer(rated.model_copy(update={"mismatched": 0.3, "train_steps": 100}), base)
    found = pairs(draw, 100)
    moved = [(reject, keep) for reject, keep in found if reject.image_id == keep.image_id]
    assert 0.2 < len(moved) / len(found) < 0.4
    for reject, keep in moved:
        assert (reject.role, keep.role) == (Role.reject, Role.keep)
        assert reject.prompt != keep.prompt
        assert reject.prompt in draw.prompts
        assert similarity(reject.prompt, keep.prompt) < 1
    items, prompts = draw.needed()
    assert {reject.prompt for reject, _ in moved} <= set(prompts)
    assert len(items) == len({(item.image_id, item.role) for item in items})


def test_a_keep_that_is_its_own_reject_never_loses_its_prompt(rated, base):
    draw = drawer(rated.model_copy(update={"mismatched": 0.5, "null_dropout": 0.9}), base)
    rows = {True: [], False: []}
    for step in range(20):
        items, is_unprompted = draw._items(step)[0], unprompted_rows(draw, draw.train(step))
        for number, (reject, keep) in enumerate(zip(items, items[-draw.keeps_a_step :], strict=False)):
            rows[reject.image_id == keep.image_id] += [is_unprompted[number], is_unprompted[number - draw.keeps_a_step]]
    assert not any(rows[True])
    assert sum(rows[False]) > len(rows[False]) / 2


def test_a_keep_that_is_its_own_reject_is_one_latent_although_encoding_leaves_it_uncertain(rated, base):
    with frozen(rated, base) as manifest:
        items = tuple(replace(item, latent_sha256=None) for item in manifest.items)
    training = Training(base, cache_of(rated, base), FrozenManifest("", items), rated).with_settings(mismatched=1.0)
    draw = BatchDrawer(training)
    batch, (items, _) = draw.train(0), draw._items(0)
    assert draw.cache.latent(items[0]).std_CHW is not None
    assert [item.image_id for item in items[:2]] == [item.image_id for item in items[2:]]
    assert torch.equal(batch.noisy_BCHW[:2], batch.noisy_BCHW[2:])
    assert not torch.equal(batch.text_BLD[:2], batch.text_BLD[2:])
    assert torch.equal(batch.noisy_BCHW, BatchDrawer(training).train(0).noisy_BCHW)
    assert not torch.equal(draw.train(1).noisy_BCHW, batch.noisy_BCHW)


def test_no_keep_is_its_own_reject_under_another_wording_of_its_prompt(rated, base):
    wordings = ("A red star above 3 hands", "three hands below a red star", "Red star, above three hand!")
    with frozen(rated, base) as manifest:
        items = tuple(replace(item, prompt=wordings[k % 3]) for k, item in enumerate(manifest.items))
    training = Training(base, cache_of(rated, base), FrozenManifest("", items), rated).with_settings(mismatched=1.0)
    assert all(reject.image_id != keep.image_id for reject, keep in pairs(BatchDrawer(training), 20))


@pytest.mark.parametrize("prompts", [("a star",), ("a star", ""), ("", "...")])
def test_without_another_prompt_that_has_words_no_keep_is_moved(rated, base, prompts):
    with frozen(rated, base) as manifest:
        items = tuple(replace(item, prompt=prompts[k % len(prompts)]) for k, item in enumerate(manifest.items))
    training = Training(base, cache_of(rated, base), FrozenManifest("", items), rated)
    assert all(reject.image_id != keep.image_id for reject, keep in pairs(BatchDrawer(training), 20))


def test_the_parts_of_a_batch_are_its_rows_in_order(rated, base):
    whole = drawer(rated.model_copy(update={"train_batch": 5}), base).train(0)
    parts = whole.parts(2)
    assert [len(part.timesteps_B) for part in parts] == [2, 2, 1]
    assert torch.equal(torch.cat([part.noisy_BCHW for part in parts]), whole.noisy_BCHW)


def test_v_prediction_checkpoints_are_fitted_to_the_velocity(rated, own_base):
    epsilon = drawer(rated, own_base)
    velocity = drawer(rated, with_schedule(own_base, prediction_type="v_prediction"))
    one, other = epsilon.train(4), velocity.train(4)
    assert torch.equal(one.noisy_BCHW, other.noisy_BCHW)
    kept = epsilon.noising.alphas_cumprod[one.timesteps_B][:, None, None, None]
    latents = (one.noisy_BCHW - (1 - kept).sqrt() * one.target_BCHW) / kept.sqrt()
    torch.testing.assert_close(other.target_BCHW, kept.sqrt() * one.target_BCHW - (1 - kept).sqrt() * latents)


def test_at_zero_terminal_snr_the_last_step_is_all_noise_and_its_target_the_negative_latent(rated, own_base):
    settings = rated.model_copy(update={"min_timestep": 999})
    draw = drawer(settings, zero_terminal(own_base))
    assert draw.noising.alphas_cumprod[-1] == 0
    batch = draw.train(0)
    assert (batch.timesteps_B == 999).all()
    assert all(torch.isfinite(tensor).all() for tensor in batch)
    known = {round(float(-draw.cache.latent(item).mean_CHW.float().sum()), 2) for item in draw.rejects + draw.keeps}
    assert {round(float(target.sum()), 2) for target in batch.target_BCHW} <= known


def test_a_zero_terminal_snr_checkpoint_is_fitted_without_nan(rated, own_base, tmp_path):
    settings = rated.model_copy(update={"train_steps": 3, "min_timestep": 990})
    fitted = fit_here(settings, tmp_path / "a", base=zero_terminal(own_base))
    assert all(torch.isfinite(tensor).all() for tensor in fitted.weights.values())
    assert len(fitted.curve) == 3


def test_a_pool_of_several_sizes_is_refused(rated, base):
    with frozen(rated, base) as manifest:
        wider = replace(manifest.items[0], width=96)
    mixed = replace(manifest, items=(wider, *manifest.items[1:]))
    with pytest.raises(RetrainError, match=r"pictures of 2 sizes \(23 of 64×64, 1 of 96×64\), a retrain needs one"):
        BatchDrawer(Training(base, cache_of(rated, base), mixed, rated))
