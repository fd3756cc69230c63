"""The bench of the queue, in short."""

from bench.rate.queue import measure_queue


def test_picks_of_one_picture_and_of_a_queue_are_timed():
    found = measure_queue(images=300, votes=600, picks=4)
    assert (found["images"], found["votes"]) == (300, 600)
    times = [value for value in found.values() if isinstance(value, dict)]
    assert len(times) >= 2
    assert all(0 < took["p50_ms"] <= took["max_ms"] for took in times)
