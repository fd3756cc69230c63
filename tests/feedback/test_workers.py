from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import Engine

from feedback.heartbeat import beating
from feedback.sample.requests import answer, ask, take
from feedback.workers import (
    IDLE_S,
    SILENT_S,
    Pulse,
    beat,
    idle_s,
    is_worker_alive,
    list_workers,
    sign_off,
    worker_words,
)
from store.engine import writing
from store.tables import TaskKind, TaskStatus, Worker, WorkerState, utc_now
from tests.waiting import PATIENCE_S


def pulse(name: str, host: str = "here", for_s: float = 0.0, **row: object) -> Pulse:
    return Pulse(Worker(name=name, host=host, state=WorkerState.resting, **row), for_s)


def silence(engine: Engine, name: str, seconds: float) -> None:
    with writing(engine) as session:
        row = session.get_one(Worker, name)
        row.seen_at = utc_now() - timedelta(seconds=seconds)
        session.add(row)


def test_without_a_worker_none_is_alive(any_engine: Engine) -> None:
    assert list_workers(any_engine) == []
    assert not is_worker_alive(any_engine)


def test_a_worker_that_speaks_is_there_and_one_that_fell_silent_is_gone(any_engine: Engine) -> None:
    beat(any_engine, pulse("a", for_s=30))
    [seen] = list_workers(any_engine)
    assert seen.is_there
    assert 30 <= seen.since_s < 40
    assert is_worker_alive(any_engine)
    silence(any_engine, "a", SILENT_S + 1)
    [seen] = list_workers(any_engine)
    assert not seen.is_there
    assert seen.silent_s > SILENT_S
    assert not is_worker_alive(any_engine)


def test_the_next_beat_keeps_when_the_worker_started(any_engine: Engine) -> None:
    beat(any_engine, pulse("a"))
    [first] = list_workers(any_engine)
    beat(any_engine, pulse("a", drawn=5))
    [then] = list_workers(any_engine)
    assert (then.row.started_at, then.row.drawn) == (first.row.started_at, 5)


def test_a_leader_that_scores_a_folder_is_not_said_to_rest(engine: Engine, hold_worker_lock) -> None:
    number = ask(engine, TaskKind.sort, {"folder": "/pictures", "version": 1})
    beat(engine, pulse("a", leads=True, for_s=90))
    beat(engine, pulse("b"))
    with hold_worker_lock(engine):
        assert [seen.scores for seen in list_workers(engine)] == ["", ""]  # it waits for the worker
        take(engine, TaskKind.sort)
        leader, other = list_workers(engine)
        assert (leader.scores, other.scores) == ("/pictures", "")
        assert leader.since_s < 60
        assert "scoring the pictures in /pictures, because enough pictures wait, for" in worker_words(leader)
        assert "resting, because enough pictures wait, for" in worker_words(other)
        answer(engine, number, TaskStatus.done, {})
        assert [seen.scores for seen in list_workers(engine)] == ["", ""]


def test_a_worker_that_ends_in_order_is_forgotten(any_engine: Engine) -> None:
    beat(any_engine, pulse("a"))
    sign_off(any_engine, "a")
    assert list_workers(any_engine) == []


def test_a_killed_leader_is_gone_at_once_and_one_that_lives_is_there(engine: Engine, hold_worker_lock) -> None:
    beat(engine, pulse("a", leads=True))
    beat(engine, pulse("b"))
    with hold_worker_lock(engine):
        assert [seen.is_there for seen in list_workers(engine)] == [True, True]
    assert [seen.is_there for seen in list_workers(engine)] == [False, True]
    beat(engine, pulse("b", leads=True))
    assert [seen.row.name for seen in list_workers(engine)] == ["b"]


def test_a_worker_that_starts_forgets_those_of_its_machine_that_were_killed(any_engine: Engine) -> None:
    beat(any_engine, pulse("a"))
    beat(any_engine, pulse("far", host="elsewhere"))
    for name in ("a", "far"):
        silence(any_engine, name, SILENT_S + 1)
    beat(any_engine, pulse("b"))
    assert [seen.row.name for seen in list_workers(any_engine)] == ["far", "b"]
    silence(any_engine, "far", 2 * 86_400)
    beat(any_engine, pulse("c"))
    assert [seen.row.name for seen in list_workers(any_engine)] == ["b", "c"]


def test_the_lock_of_a_starting_worker_counts_before_its_first_word(engine: Engine, hold_worker_lock) -> None:
    with hold_worker_lock(engine):
        assert is_worker_alive(engine)
    assert not is_worker_alive(engine)


def test_a_heartbeat_tells_what_is_drawn_how_far_and_how_fast(engine: Engine) -> None:
    with beating(engine, "a") as heart:
        heart.stand(leads=False, device="CPU, 2 threads")
        with heart.drawing([3, 0, 3]):
            heart.at_step(7, 20)
            heart.beat()
            [seen] = list_workers(engine)
        assert (seen.row.state, seen.row.pictures, seen.row.versions) == (WorkerState.drawing, 3, [0, 3])
        assert (seen.row.step, seen.row.steps, seen.row.device) == (7, 20, "CPU, 2 threads")
        assert seen.row.per_minute is None
        heart.rest()
        heart.beat()
        [seen] = list_workers(engine)
        assert (seen.row.state, seen.row.pictures, seen.row.steps, seen.row.drawn) == (WorkerState.resting, 0, 0, 3)
        assert seen.row.per_minute > 0
    assert list_workers(engine) == []


def test_many_workers_without_work_ask_as_often_together_as_few(any_engine: Engine) -> None:
    beat(any_engine, pulse("a"))
    assert idle_s(any_engine) == IDLE_S
    for n in range(39):
        beat(any_engine, pulse(f"more {n}", host=f"host {n}"))
    assert idle_s(any_engine) == 10 * IDLE_S
    for n in range(30):
        silence(any_engine, f"more {n}", SILENT_S + 1)
    assert idle_s(any_engine) == 2.5 * IDLE_S


def test_a_beat_waits_for_no_writer(postgres_engine: Engine) -> None:
    with writing(postgres_engine), ThreadPoolExecutor(1) as other:
        other.submit(beat, postgres_engine, pulse("a")).result(timeout=PATIENCE_S)
    assert is_worker_alive(postgres_engine)
