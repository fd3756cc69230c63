import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.figures.summary import standing
from feedback.runs import (
    DIED,
    DIED_EARLY,
    STOPPED,
    ask_for_retrain,
    bury_dead_runs,
    can_resume,
    is_stop_asked,
    latest_run,
    newest_run,
    stop_retrain,
    was_answered,
)
from feedback.sample.requests import DrawRequest, Side, abandon, ask_drawing, take, task
from feedback.versions import events
from store.archive.backup import backup
from store.archive.restore import restore
from store.engine import reading, writing
from store.errors import BadRequest
from store.layout import layout_of
from store.migrate import open_store, read_store
from store.tables import Action, AliasName, Manifest, Run, RunStatus, Task, TaskKind, TaskStatus, utc_now


def running(engine: Engine, *, has_manifest: bool = True, **columns: object) -> int:
    """The number of a new run whose row says that it runs."""
    with writing(engine) as session:
        if has_manifest:
            session.merge(Manifest(id="m", body="{}"))
            session.flush()
        run = Run(status=RunStatus.running, manifest_id="m" if has_manifest else None, **columns)
        session.add(run)
        session.flush()
        assert run.id is not None
        return run.id


def latest(engine: Engine) -> tuple[RunStatus, str]:
    with reading(engine) as session:
        run = latest_run(session)
        assert run is not None
        return run.status, run.message


def stored(engine: Engine) -> list[RunStatus]:
    with reading(engine) as session:
        return list(session.exec(select(Run.status).order_by(Run.id)))


def test_a_retrain_is_asked_for_once_and_stopped_once(any_engine: Engine, hold_retrain_lock: Callable) -> None:
    ask_for_retrain(any_engine, "the pool is good")
    with pytest.raises(BadRequest, match="asked for already"):
        ask_for_retrain(any_engine, "again")
    with reading(any_engine) as session:
        assert [task.kind for task in session.exec(select(Task))] == [TaskKind.retrain]
    with pytest.raises(BadRequest, match="no retrain is running"):
        stop_retrain(any_engine, "")
    running(any_engine)
    with hold_retrain_lock(any_engine):
        stop_retrain(any_engine, "wrong settings")
        with pytest.raises(BadRequest, match="no retrain is running"):
            stop_retrain(any_engine, "again")
    assert [event.action for event in events(any_engine)[:2]] == [Action.stop, Action.retrain]


def test_the_latest_run_is_the_newest_whatever_became_of_it(any_engine: Engine) -> None:
    with reading(any_engine) as session:
        assert latest_run(session) is None
    with writing(any_engine) as session:
        session.add_all([Run(status=RunStatus.done, message="first"), Run(status=RunStatus.failed, message="second")])
    assert latest(any_engine) == (RunStatus.failed, "second")


def test_only_the_stopped_run_knows_that_it_was_asked_to_stop(any_engine: Engine, hold_retrain_lock: Callable) -> None:
    with writing(any_engine) as session:
        session.add_all([Run(status=RunStatus.failed), Run(status=RunStatus.running)])
    assert not is_stop_asked(any_engine, 2)
    with hold_retrain_lock(any_engine):
        stop_retrain(any_engine, "")
    assert (is_stop_asked(any_engine, 1), is_stop_asked(any_engine, 2)) == (False, True)


def test_no_retrain_is_asked_for_while_one_runs(any_engine: Engine, hold_retrain_lock: Callable) -> None:
    running(any_engine)
    with hold_retrain_lock(any_engine), pytest.raises(BadRequest, match="runs already"):
        ask_for_retrain(any_engine, "more")


def test_a_run_lives_as_long_as_its_process_holds_the_lock(any_engine: Engine, hold_retrain_lock: Callable) -> None:
    running(any_engine, step=3, steps=9)
    with hold_retrain_lock(any_engine):
        assert latest(any_engine) == (RunStatus.running, "")
        bury_dead_runs(any_engine)
        assert stored(any_engine) == [RunStatus.running]
    assert latest(any_engine) == (RunStatus.interrupted, DIED)
    assert standing(any_engine).run.status is RunStatus.interrupted
    with pytest.raises(BadRequest, match="no retrain is running"):
        stop_retrain(any_engine, "")
    ask_for_retrain(any_engine, "again")


@pytest.mark.parametrize("has_manifest", [True, False])
def test_a_run_goes_on_only_once_it_has_frozen_what_it_trains_on(any_engine: Engine, has_manifest: bool) -> None:
    running(any_engine, has_manifest=has_manifest)
    assert latest(any_engine) == (RunStatus.interrupted, DIED if has_manifest else DIED_EARLY)
    assert can_resume(newest_run(any_engine)) is has_manifest
    bury_dead_runs(any_engine)
    assert can_resume(newest_run(any_engine)) is has_manifest


def test_what_did_not_stop_midway_does_not_go_on(any_engine: Engine, hold_retrain_lock: Callable) -> None:
    assert not can_resume(None)
    running(any_engine)
    with hold_retrain_lock(any_engine):
        assert not can_resume(newest_run(any_engine))
    for status in (RunStatus.failed, RunStatus.done):
        assert not can_resume(Run(status=status, manifest_id="m"))


def test_looking_at_a_dead_run_changes_no_row_and_a_start_buries_it(any_engine: Engine) -> None:
    running(any_engine)
    assert latest(any_engine) == (RunStatus.interrupted, DIED)
    assert stored(any_engine) == [RunStatus.running]
    bury_dead_runs(any_engine)
    assert stored(any_engine) == [RunStatus.interrupted]


def test_a_reader_of_the_store_sees_the_dead_as_dead(engine: Engine, settings, hold_retrain_lock: Callable) -> None:
    running(engine)
    reader = read_store(settings)
    with hold_retrain_lock(engine):
        assert latest(reader)[0] is RunStatus.running
    assert latest(reader)[0] is RunStatus.interrupted
    reader.dispose()


def test_a_run_that_died_after_it_was_asked_to_stop_is_not_resumed(
    any_engine: Engine, hold_retrain_lock: Callable
) -> None:
    running(any_engine)
    with hold_retrain_lock(any_engine):
        stop_retrain(any_engine, "wrong settings")
    assert latest(any_engine) == (RunStatus.failed, STOPPED)
    bury_dead_runs(any_engine)
    assert stored(any_engine) == [RunStatus.failed]


def test_a_wish_to_stop_is_for_the_run_that_was_on_the_page(any_engine: Engine, hold_retrain_lock: Callable) -> None:
    first = running(any_engine)
    with writing(any_engine) as session:
        session.get_one(Run, first).status = RunStatus.done
    second = running(any_engine)
    with hold_retrain_lock(any_engine):
        with pytest.raises(BadRequest, match="that retrain is running"):
            stop_retrain(any_engine, "too long", first)
        assert not is_stop_asked(any_engine, second)
        stop_retrain(any_engine, "too long", second)
    assert is_stop_asked(any_engine, second)


def test_a_wish_for_a_retrain_is_met_by_one_that_ended_since(any_engine: Engine) -> None:
    with writing(any_engine) as session:
        session.add(Run(status=RunStatus.done, updated_at=utc_now() - timedelta(minutes=5)))
    ask_for_retrain(any_engine, "now")
    asked = take(any_engine, TaskKind.retrain)
    assert not was_answered(any_engine, asked)
    for status, is_met in ((RunStatus.interrupted, False), (RunStatus.failed, False), (RunStatus.done, True)):
        with writing(any_engine) as session:
            session.add(Run(status=status))
        assert was_answered(any_engine, asked) is is_met


def test_a_drawing_that_nobody_waits_for_is_not_drawn(any_engine: Engine) -> None:
    old = ask_drawing(any_engine, DrawRequest("a red star", [1], [Side(0)]))
    ask_for_retrain(any_engine, "now")
    abandon(any_engine, utc_now() + timedelta(minutes=59))
    assert task(any_engine, old).status is TaskStatus.waiting
    abandon(any_engine, utc_now() + timedelta(minutes=61))
    assert (task(any_engine, old).status, take(any_engine, TaskKind.draw)) == (TaskStatus.failed, None)
    assert take(any_engine, TaskKind.retrain) is not None


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_backup_taken_during_a_retrain_carries_neither_the_run_nor_what_was_asked(
    engine: Engine, settings, tmp_path: Path, hold_retrain_lock: Callable, fill: Callable, is_stopped: bool
) -> None:
    fill(engine, 1, put=layout_of(settings).blobs.put)
    drawing = ask_drawing(engine, DrawRequest("a red star", [1], [Side(0)]))
    ask_for_retrain(engine, "soon")
    running(engine)
    with hold_retrain_lock(engine):
        if is_stopped:
            stop_retrain(engine, "")
        backup(settings, tmp_path / "b.tar")
        elsewhere = settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})
        restore(tmp_path / "b.tar", elsewhere)
        restored = open_store(elsewhere)
        assert stored(restored) == [RunStatus.failed if is_stopped else RunStatus.interrupted]
        assert task(restored, drawing).status is TaskStatus.failed
        assert take(restored, TaskKind.retrain) is None
        restored.dispose()
        assert latest(engine)[0] is RunStatus.running


def test_a_copied_folder_does_not_run_what_the_original_runs(
    engine: Engine, settings, tmp_path: Path, hold_retrain_lock: Callable
) -> None:
    running(engine)
    with hold_retrain_lock(engine):
        shutil.copytree(settings.data_dir, tmp_path / "copy")
        copied = open_store(settings.model_copy(update={"data_dir": tmp_path / "copy"}))
        assert (latest(copied)[0], latest(engine)[0]) == (RunStatus.interrupted, RunStatus.running)
        copied.dispose()


def test_a_stop_keeps_its_reason_and_is_one_event(any_engine: Engine, hold_retrain_lock: Callable) -> None:
    for reason in ("wrong settings", ""):
        before = utc_now()
        number = running(any_engine)
        with hold_retrain_lock(any_engine):
            stop_retrain(any_engine, reason)
        with writing(any_engine) as session:
            run = session.get_one(Run, number)
            assert run.stop_reason == (reason or "stopped by a person")
            assert run.updated_at >= before
            run.status = RunStatus.failed
        newest = events(any_engine)[0]
        assert (newest.action, newest.alias, newest.reason) == (Action.stop, AliasName.challenger, reason)


def test_a_wish_that_was_met_does_not_hinder_the_next(any_engine: Engine) -> None:
    with writing(any_engine) as session:
        met = Task(kind=TaskKind.retrain, status=TaskStatus.done)
        session.add_all([met, Task(kind=TaskKind.draw, status=TaskStatus.waiting)])
    ask_for_retrain(any_engine, "the pool is good")
    with reading(any_engine) as session:
        newest = session.exec(select(Task).order_by(Task.id.desc())).first()
    assert (newest.kind, newest.status) == (TaskKind.retrain, TaskStatus.waiting)
    [event] = events(any_engine)
    assert (event.action, event.alias, event.reason) == (Action.retrain, AliasName.challenger, "the pool is good")
