import math
from dataclasses import replace

import pytest
import torch

from feedback.sample.work import Job
from trainer.lora.tensors import TRAINED, add_fresh
from trainer.sample.sampler import sample_latents
from trainer.sample.speed.interval import interval_of

JOBS = [Job("a big red star on a blue background", 1), Job("a small green hand", 2)]
MIDDLE = {"guidance_sigma_min": 0.5, "guidance_sigma_max": 4.0}


@pytest.fixture
def adapted(own_base):
    """A base with an adapter that has an effect but is off."""
    with torch.no_grad():
        for parameter in add_fresh(own_base.pipe.unet, 4, "attention", seed=0):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.05)
    own_base.pipe.unet.disable_adapters()
    return own_base


def within(base, **levels):
    return replace(base, settings=base.settings.model_copy(update=levels))


def drawn(base, rule="plain", strength=0.0, **levels):
    """Latents, and the rows of each call."""
    rows = []
    counter = base.pipe.unet.conv_in.register_forward_hook(lambda _m, args, _o: rows.append(len(args[0])))
    drawing = replace(base.plain, rule=rule, strength=strength)
    latents = sample_latents(within(base, **levels), JOBS, drawing, TRAINED)
    counter.remove()
    return latents, rows


@pytest.mark.parametrize(("rule", "rows"), [("plain", 4), ("negative-half", 4), ("same-prompt", 6), ("woolf", 4)])
def test_only_the_middle_of_the_noise_levels_has_guidance_and_the_others_a_row_a_picture(adapted, rule, rows):
    _, seen = drawn(adapted, rule, 1.0, **MIDDLE)
    sigmas = adapted.pipe.scheduler.sigmas[:-1].tolist()
    assert seen == [rows if 0.5 <= sigma <= 4.0 else 2 for sigma in sigmas]
    assert {2, rows} == set(seen)


@pytest.mark.parametrize("rule", ["plain", "negative-half", "same-prompt"])
def test_an_interval_of_all_levels_changes_no_bit(adapted, rule):
    assert torch.equal(drawn(adapted, rule, 1.0, guidance_sigma_min=0.0)[0], drawn(adapted, rule, 1.0)[0])


@pytest.mark.parametrize("rule", ["negative-half", "same-prompt", "woolf"])
def test_where_no_level_has_guidance_the_lora_draws_nothing(adapted, rule):
    never = {"guidance_sigma_min": 900.0}
    assert torch.equal(drawn(adapted, rule, 1.0, **never)[0], drawn(adapted, **never)[0])
    assert not torch.equal(drawn(adapted, rule, 1.0)[0], drawn(adapted)[0])


def test_nothing_stays_behind(adapted):
    before = drawn(adapted)[0]
    drawn(adapted, "same-prompt", 1.0, **MIDDLE)
    assert "forward" not in adapted.pipe.unet.__dict__
    assert torch.equal(drawn(adapted)[0], before)


def test_the_noise_level_of_a_timestep_is_that_of_the_schedule(base):
    scheduler = base.pipe.scheduler
    levels = interval_of(base.settings.model_copy(update={"guidance_sigma_max": 1e9}), scheduler).sigmas
    alpha = scheduler.alphas_cumprod[500].item()
    assert levels[500] == pytest.approx(math.sqrt((1 - alpha) / alpha), rel=1e-5)
    assert interval_of(base.settings, scheduler) is None
