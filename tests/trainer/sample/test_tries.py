import pytest
import torch
from safetensors.torch import load, save

from feedback.check.version_check import How, VersionCheck
from feedback.sample.tries import Redraw, Tries, best_of, redraw_of, seed_of_try
from feedback.sample.work import Job
from feedback.versions import get_version
from store.layout import layout_of
from store.migrate import open_store
from tests.trainer.foreign_files import kohya_names, random_lora
from trainer.lora.tensors import detach
from trainer.retrain.importing import import_lora
from trainer.sample.check import how_of, reject_scores
from trainer.sample.tries import CheckedSampler, draw_tries

JOBS = [Job("a star", 1), Job("a hand", 2), Job("a cat", 3)]
SCORES = {
    1: [0.9, 0.5, 0.1],
    2: [0.1, 0.8, 0.8],
    3: [0.9, 0.7, 0.6],
}
"""By seed, the scores of its first, second and third try."""


def play(redraw: Redraw):
    """The seeds of the tries that were kept, the tries, and the seeds of each batch that was drawn."""
    score_of = {seed_of_try(seed, number): score for seed in SCORES for number, score in enumerate(SCORES[seed], 1)}
    batches: list[list[int]] = []

    def draw(jobs, number):
        batches.append([job.seed for job in jobs])
        return [torch.tensor(job.seed) for job in jobs]

    def score(latents, jobs):
        assert [int(latent) for latent in latents] == [job.seed for job in jobs]
        return [score_of[job.seed] for job in jobs]

    kept, tries = draw_tries(JOBS, draw, score, redraw)
    return [int(latent) for latent in kept], tries, batches


def test_only_what_scores_beyond_the_cut_is_drawn_again_and_in_one_batch():
    _, tries, batches = play(Redraw(3, 0.55))
    assert batches == [[1, 2, 3], [seed_of_try(1, 2), seed_of_try(3, 2)], [seed_of_try(3, 3)]]
    assert [one.scores for one in tries] == [(0.9, 0.5), (0.1,), (0.9, 0.7, 0.6)]


def test_the_lowest_score_is_kept_also_where_none_is_below_the_cut():
    kept, tries, _ = play(Redraw(2, 0.55))
    assert kept == [seed_of_try(1, 2), 2, seed_of_try(3, 2)]
    assert tries == [Tries(2, (0.9, 0.5)), Tries(1, (0.1,)), Tries(2, (0.9, 0.7))]


def test_a_worse_try_never_replaces_a_better_one():
    kept, tries, _ = play(best_of(2))
    assert kept[1] == 2
    assert tries[1] == Tries(1, (0.1, 0.8))


def test_the_best_of_several_draws_every_picture_so_often():
    kept, tries, batches = play(best_of(3))
    assert [len(batch) for batch in batches] == [3, 3, 3]
    assert kept == [seed_of_try(1, 3), 2, seed_of_try(3, 3)]
    assert [one.kept for one in tries] == [3, 1, 3]


def test_with_one_try_pictures_are_only_scored():
    _, tries, batches = play(Redraw(1, 0.0))
    assert len(batches) == 1
    assert [one.scores for one in tries] == [(0.9,), (0.1,), (0.9,)]


@pytest.fixture
def steered(settings, own_base, tmp_path):
    """A checked sampler, and a version with an effect whose check takes everything for a reject."""
    tensors = kohya_names(random_lora(own_base.pipe.unet, "attention", 4), 4.0)
    (tmp_path / "theirs.safetensors").write_bytes(save(tensors))
    engine = open_store(settings)
    version = get_version(engine, import_lora(settings, tmp_path / "theirs.safetensors").number)
    engine.dispose()
    check = VersionCheck(How((800,), 2, 4), off="", cut=-9.0).as_json()
    return CheckedSampler(own_base, layout_of(settings)), version.model_copy(update={"check": check})


def test_a_try_is_the_picture_that_its_own_seed_gives(steered):
    sampler, version = steered
    [drawn] = sampler.draw(version, JOBS[:1], redraw=redraw_of(version, 3))
    alone = [sampler.draw(version, [Job("a star", seed_of_try(1, number))])[0] for number in (1, 2, 3)]
    assert len(set(drawn.tries.scores)) == 3
    assert drawn.tries.score == min(drawn.tries.scores)
    assert drawn.png == alone[drawn.tries.kept - 1].png
    assert drawn.latent == alone[drawn.tries.kept - 1].latent


def test_a_score_is_what_the_check_says_of_the_finished_latents(steered):
    sampler, version = steered
    drawn = sampler.draw(version, JOBS, redraw=Redraw(1, 0.0))
    latents = torch.stack([load(one.latent)["latent"].float() for one in drawn])
    found = reject_scores(sampler.base, latents, [job.prompt for job in JOBS], f"v{version.number}", how_of(version))
    torch.testing.assert_close(found, torch.tensor([one.tries.score for one in drawn]), atol=1e-3, rtol=1e-2)


def test_each_step_of_a_further_try_says_so(steered):
    sampler, version = steered
    told: list[tuple[int, int]] = []
    sampler.draw(version, JOBS[:1], lambda now: told.append((now.number, now.step)), redraw_of(version, 2))
    steps = sampler.base.plain.num_inference_steps
    assert told == [(number, step) for number in (1, 2) for step in range(1, steps + 1)]


def test_how_often_a_picture_may_be_drawn_is_a_condition_only_where_a_check_decides_it(steered):
    sampler, version = steered
    assert sampler.drawing_of(version, Redraw(3, 0.0)).conditions.tries == 3
    assert sampler.drawing_of(version).conditions.tries == 1
    without = version.model_copy(update={"check": None})
    assert sampler.drawing_of(without).conditions == sampler.base.plain.conditions


def test_a_version_that_draws_once_says_so_once(steered, caplog):
    sampler, version = steered
    without = version.model_copy(update={"check": None})
    with caplog.at_level("INFO"):
        for _ in range(2):
            sampler.attached = 0
            sampler.draw(without, JOBS[:1])
            detach(sampler.base.pipe, f"v{version.number}")
    assert caplog.text.count(f"v{version.number} draws each picture once: it has no check") == 1
