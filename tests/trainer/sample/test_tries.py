import torch

from feedback.sample.tries import Redraw, Tries, best_of, seed_of_try
from feedback.sample.work import Job
from trainer.sample.tries import draw_tries

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
