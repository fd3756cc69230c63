"""What was drawn once is not drawn again."""

from pathlib import Path

import pytest
import torch

from bench.loop.album import Album
from feedback.sample.work import Job
from tests.bench.loop.conftest import DRAWN
from tests.trainer.conftest import quick_settings
from trainer.base.model import load_base

JOBS = [Job(prompt, seed) for seed, prompt in enumerate(DRAWN.prompts(0, 3, DRAWN.subjects, ()))]


@pytest.fixture(scope="module")
def album() -> Album:
    return Album(load_base(quick_settings(Path("unused"))), DRAWN.judge)


def test_a_drawing_is_the_same_whenever_it_is_asked_for_and_is_made_once(album: Album) -> None:
    plain = album.base.plain
    all_three = album.shots("", plain, JOBS)
    assert album.shots("", plain, [JOBS[2], JOBS[0]]) == [all_three[2], all_three[0]]
    assert len(album.known) == 3
    fresh = Album(album.base, DRAWN.judge).shots("", plain, [JOBS[1]])[0]
    assert torch.allclose(fresh.latent_CHW, all_three[1].latent_CHW, atol=1e-4)
    assert fresh.faults == all_three[1].faults
    assert fresh.seconds > 0


def test_other_weights_or_another_way_to_draw_is_another_drawing(album: Album) -> None:
    before = len(album.known)
    album.shots("other", album.base.plain, JOBS[:1])
    assert len(album.known) == before + 1
