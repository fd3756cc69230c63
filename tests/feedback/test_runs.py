import pytest
from sqlalchemy import Engine
from sqlmodel import select

from feedback.runs import ask_for_retrain, is_stop_asked, latest_run, stop_retrain
from feedback.versions import events
from store.engine import reading, writing
from store.errors import BadRequest
from store.tables import Action, Run, RunStatus, Task, TaskKind


def test_a_retrain_is_asked_for_once_and_stopped_once(any_engine: Engine) -> None:
    ask_for_retrain(any_engine, "the pool is good")
    with pytest.raises(BadRequest, match="asked for already"):
        ask_for_retrain(any_engine, "again")
    with reading(any_engine) as session:
        assert [task.kind for task in session.exec(select(Task))] == [TaskKind.retrain]
    with pytest.raises(BadRequest, match="no retrain is running"):
        stop_retrain(any_engine, "")
    with writing(any_engine) as session:
        session.add(Run(status=RunStatus.running))
    stop_retrain(any_engine, "wrong settings")
    with pytest.raises(BadRequest, match="no retrain is running"):
        stop_retrain(any_engine, "again")
    assert [event.action for event in events(any_engine)[:2]] == [Action.stop, Action.retrain]


def test_the_latest_run_is_the_newest_whatever_became_of_it(any_engine: Engine) -> None:
    with reading(any_engine) as session:
        assert latest_run(session) is None
    with writing(any_engine) as session:
        session.add_all([Run(status=RunStatus.done, message="first"), Run(status=RunStatus.failed, message="second")])
    with reading(any_engine) as session:
        run = latest_run(session)
    assert run is not None
    assert (run.status, run.message) == (RunStatus.failed, "second")


def test_only_the_stopped_run_knows_that_it_was_asked_to_stop(any_engine: Engine) -> None:
    with writing(any_engine) as session:
        session.add_all([Run(status=RunStatus.failed), Run(status=RunStatus.running)])
    assert not is_stop_asked(any_engine, 2)
    stop_retrain(any_engine, "")
    assert (is_stop_asked(any_engine, 1), is_stop_asked(any_engine, 2)) == (False, True)


def test_no_retrain_is_asked_for_while_one_runs(any_engine: Engine) -> None:
    with writing(any_engine) as session:
        session.add(Run(status=RunStatus.running))
    with pytest.raises(BadRequest, match="runs already"):
        ask_for_retrain(any_engine, "more")
