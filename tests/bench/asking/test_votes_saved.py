"""Votes saved by asking what teaches most: the arithmetic, and two rounds for real."""

import pytest

from bench.asking.votes_saved import Plan, Point, finished, measure, table, votes_to
from store.settings import Settings

PLAN = Plan(share=0.5, votes=100, rounds=2)
SMALLEST = {
    "num_inference_steps": 2,
    "queue_target": 16,
    "strength": 1.0,
    "sweep_pictures": 4,
    "train_steps": 2,
    "train_batch": 4,
    "lora_rank": 2,
    "lora_layers": "attention",
}


def curve(share: float, *wrong: int, replicate: int = 0) -> list[Point]:
    return [Point(replicate, share, 100 * n, count, 144, 200 * n) for n, count in enumerate(wrong)]


@pytest.mark.parametrize(
    ("wrong", "goal", "votes"),
    [((40, 20, 10), 0.5, 100), ((40, 30, 10), 0.5, 150), ((40, 30, 25), 0.5, None), ((40, 10, 30), 0.5, 200 / 3)],
)
def test_the_votes_to_a_goal_lie_between_the_two_points_around_it(wrong, goal, votes):
    assert votes_to(curve(0.0, *wrong), goal) == (None if votes is None else pytest.approx(votes))


def test_the_table_sums_the_replicates_and_shows_both_ways():
    points = [*curve(0.0, 40, 30, 20), *curve(0.0, 60, 50, 40, replicate=1)]
    points += [*curve(0.5, 40, 20, 10), *curve(0.5, 60, 30, 15, replicate=1)]
    lines = table(points, PLAN).splitlines()
    assert lines[0] == "chosen 0%   wrong of 288 after so many votes   0: 100, 100: 80, 200: 60"
    assert [line.strip() for line in lines[1:3]] == ["half of the base's: never", "a quarter of the base's: never"]
    assert "half of the base's: 100 votes" in lines[5]
    assert "pictures drawn: 800" in lines[7]


@pytest.mark.slow
def test_both_ways_are_measured_through_the_real_loop_and_a_second_call_draws_nothing_more(tmp_path):
    settings = Settings(_env_file=None, cross_fit=False, **SMALLEST)
    plan = Plan(share=0.5, votes=16, rounds=2, prompts=3, seeds=2)
    points = measure(settings, tmp_path, plan, [5], 1)
    assert [(point.share, point.votes) for point in points] == [(s, v) for s in (0.0, 0.5) for v in (0, 16, 32)]
    at_random, chosen = points[:3], points[3:]
    assert at_random[0].wrong == chosen[0].wrong
    assert chosen[2].drawn == at_random[2].drawn >= 32  # no check can choose here, so each choice has one candidate
    assert (
        measure(settings, tmp_path, plan, [5], 1) == points == finished(tmp_path, 5, 0.0) + finished(tmp_path, 5, 0.5)
    )
    print(table(points, plan))
