import pytest

from feedback.figures.flow import flow_of
from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from feedback.workers import SeenWorker
from store.tables import Verdict, Worker, WorkerState

TERMS = Terms(1, 60)


def worker(state: WorkerState, per_minute: float | None = None, *, is_there: bool = True) -> SeenWorker:
    return SeenWorker(Worker(name="w", host="h", state=state, per_minute=per_minute), 1, 1, is_there=is_there)


def rate(engine, count: int) -> None:
    images = next_images(engine, "ada", TERMS, count=count)
    record_votes(engine, "ada", [Press(f"r {i.image_id}", i.image_id, Verdict.keep) for i in images], TERMS)


@pytest.mark.parametrize(
    ("workers", "drawn"),
    [
        ([], 0),
        ([worker(WorkerState.drawing, 8), worker(WorkerState.resting, 4)], 12),
        ([worker(WorkerState.drawing, 8), worker(WorkerState.starting)], 8),
        ([worker(WorkerState.starting)], None),
        ([worker(WorkerState.no_room, 8)], 0),
        ([worker(WorkerState.waiting, 8)], 0),
        ([worker(WorkerState.drawing, 8, is_there=False)], 0),
    ],
)
def test_the_workers_that_can_draw_draw_together(engine, workers, drawn) -> None:
    assert flow_of(engine, workers, 24, 1).drawn == drawn


def test_a_picture_that_two_people_judge_takes_two_votes(engine, fill) -> None:
    fill(engine, 4)
    rate(engine, 4)
    assert flow_of(engine, [], 24, 1).rated == 4
    assert flow_of(engine, [], 24, 2).rated == 2


def test_nothing_is_said_where_nobody_rates_or_the_pace_of_drawing_is_not_known(engine, fill) -> None:
    fill(engine, 4)
    assert flow_of(engine, [worker(WorkerState.drawing, 8)], 24, 1).words == ""
    rate(engine, 4)
    assert flow_of(engine, [worker(WorkerState.starting)], 24, 1).words == ""
    assert "rated 4 a minute" in flow_of(engine, [worker(WorkerState.drawing, 8)], 24, 1).words
