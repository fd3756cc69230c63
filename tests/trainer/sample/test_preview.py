from dataclasses import replace

import pytest
import torch
from diffusers import EulerDiscreteScheduler

from feedback.sample.work import Job
from trainer.sample.preview import DrawStep, now_and_then, predict_clean_latents, shrink
from trainer.sample.sampler import sample_latents


def test_the_last_step_shows_the_picture_and_those_before_come_ever_closer(base):
    glimpses: list[torch.Tensor] = []
    drawing = replace(base.plain, num_inference_steps=12)
    final = sample_latents(base, [Job("a red cat", 3)], drawing, on_step=lambda now: glimpses.append(now.glimpse()))
    away = [float((glimpse - final).norm() / final.norm()) for glimpse in glimpses]
    assert away[-1] == pytest.approx(0, abs=1e-4)
    assert away[0] > away[1] > away[6] > away[10]
    assert away[6] < 0.5  # half way there is several times as much noise as picture


def test_a_straight_line_is_followed_to_its_end():
    scheduler = EulerDiscreteScheduler()
    scheduler.set_timesteps(4)
    clean, noise = torch.ones(1, 4, 8, 8), torch.full((1, 4, 8, 8), 2.0)
    before, after = (clean + sigma * noise for sigma in scheduler.sigmas[1:3])
    scheduler._step_index = 2
    torch.testing.assert_close(predict_clean_latents(scheduler, before, after), clean)


def test_large_latents_are_shrunk_and_small_ones_kept():
    assert shrink(torch.zeros(1, 4, 128, 96)).shape == (1, 4, 32, 24)
    assert shrink(torch.zeros(1, 4, 16, 16)).shape == (1, 4, 16, 16)


def test_steps_are_reported_at_once_and_then_no_more_often_than_asked():
    steps = [DrawStep(number, 3, lambda: torch.zeros(1)) for number in (1, 2, 3)]
    for every_s, wanted in ((0.0, [1, 2, 3]), (600.0, [1])):
        seen: list[int] = []
        on_step = now_and_then(lambda step, seen=seen: seen.append(step.step), every_s)
        for step in steps:
            on_step(step)
        assert seen == wanted
