import base64
import io
from dataclasses import replace

import pytest
import torch
from diffusers import EulerDiscreteScheduler
from PIL import Image

from feedback.sample.jobs import Job
from feedback.sample.requests import ask, task
from store.layout import layout_of
from store.migrate import open_store
from store.tables import TaskKind, TaskStatus
from trainer.sample import playground
from trainer.sample.preview import predict_clean_latents, shrink
from trainer.sample.sampler import Sampler, sample_latents


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


def test_the_playground_shows_a_picture_while_it_is_drawn(rated, base, monkeypatch):
    engine, layout, shown = open_store(rated), layout_of(rated), []
    number = ask(engine, TaskKind.draw, {"prompt": "a red cat", "seed": 3, "versions": [0], "strength": 4.0})
    monkeypatch.setattr(playground, "TELLS_EVERY_S", 0.0)
    record = playground.answer

    def told(*given):
        record(*given)
        shown.append(task(engine, number))

    monkeypatch.setattr(playground, "answer", told)
    playground.draw_asked(engine, layout, Sampler(base, layout))
    scheme, coming = shown[0].answer["0 coming"].split(",")
    assert scheme == "data:image/webp;base64"
    assert Image.open(io.BytesIO(base64.b64decode(coming))).size == (64, 64)
    assert shown[-1].status is TaskStatus.done
    assert shown[-1].answer.keys() == {"0"}
    engine.dispose()
