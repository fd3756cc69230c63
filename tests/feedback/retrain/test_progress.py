import time

import pytest
from sqlalchemy import Engine

from feedback.retrain import progress
from feedback.retrain.progress import Progress, Teller, last_stages, progress_of, recorder, retrain_now, thin
from feedback.retrain.stages import FIT, Phase, Stage
from store.engine import reading, writing
from store.errors import Interrupted
from store.tables import Run, RunStatus

FITTING = Stage("fitting", Phase.fit, FIT, 10)
TRYING = Stage("trying strengths", Phase.strengths, "draw", 4)


@pytest.fixture
def teller() -> Teller:
    made = Teller()
    made.plan([FITTING, TRYING])
    return made


def new_run(engine: Engine, status: RunStatus = RunStatus.running) -> Run:
    with writing(engine) as session:
        run = Run(status=status)
        session.add(run)
        session.flush()
        return run


def test_a_stage_tells_its_work_its_time_and_its_end(teller: Teller) -> None:
    with teller.stage("fitting", has_bar=False) as tell:
        assert teller.progress.current.name == "fitting"
        for _ in range(5):
            tell(1)
        assert teller.done("fitting") == 5
        time.sleep(0.02)
    first, second = teller.progress.stages
    assert first.is_over
    assert first.seconds > 0.02
    assert not second.is_over
    assert teller.progress.current == second


def test_every_stage_has_a_bar_that_ends_at_the_full_length(teller: Teller, capfd) -> None:
    with teller.stage("trying strengths") as tell:
        tell(1)
    said = capfd.readouterr().err
    assert "trying strengths: " in said
    assert "100%" in said


def test_a_stop_ends_a_stage_where_it_is_and_a_fit_by_itself(teller: Teller) -> None:
    teller.should_stop = lambda: True
    with teller.stage("fitting", has_bar=False, can_stop=False) as tell:
        tell(1)
    with teller.stage("trying strengths", has_bar=False):
        pass
    for name in ("trying strengths", "a stage that nobody planned"):
        with pytest.raises(Interrupted, match=f"stopped while {name}"), teller.stage(name, has_bar=False) as tell:
            tell(1)


def test_work_beyond_the_plan_is_no_more_than_all_of_it(teller: Teller) -> None:
    with teller.stage("trying strengths", has_bar=False) as tell:
        tell(3)
        tell(3)
    assert teller.done("trying strengths") == 4


def test_a_stage_that_nobody_planned_is_not_told_of(teller: Teller) -> None:
    with teller.stage("something else") as tell:
        tell(1)
    assert [stage.name for stage in teller.progress.stages] == ["fitting", "trying strengths"]


def test_progress_is_told_at_most_once_a_second_and_at_the_start_of_each_stage(teller: Teller, monkeypatch) -> None:
    told: list[Progress] = []
    teller.report = told.append
    with teller.stage("fitting", has_bar=False) as tell:
        for _ in range(10):
            tell(1)
    assert len(told) == 1
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    with teller.stage("trying strengths", has_bar=False) as tell:
        tell(1)
    assert len(told) > 2


def test_the_seconds_of_an_interrupted_fit_count_and_those_of_what_starts_again_do_not() -> None:
    teller, earlier = Teller(), [Stage(**(stage.__dict__ | {"seconds": 7.0})) for stage in (FITTING, TRYING)]
    teller.plan([FITTING, TRYING], earlier)
    assert [stage.seconds for stage in teller.progress.stages] == [7, 0]


def test_what_is_recorded_is_read_back(any_engine: Engine, teller: Teller) -> None:
    run = new_run(any_engine)
    teller.report = recorder(any_engine, run)
    with teller.stage("fitting", has_bar=False) as tell:
        tell(10)
        teller.follow([{"step": 1, "loss": 0.5}])
        teller.measured([{"strength": 1.0, "push": 0.1, "passes": 1.0}])
        told = progress_of(any_engine, run.id)
    assert told == Progress(teller.progress.stages[:0] + told.stages, [{"step": 1, "loss": 0.5}], told.strengths)
    assert [stage.name for stage in told.stages] == ["fitting", "trying strengths"]
    assert (told.stages[0].done, told.strengths[0]["strength"]) == (10, 1.0)


def test_the_run_has_the_share_of_the_expected_time_and_its_words(engine: Engine, teller, hold_retrain_lock) -> None:
    last = new_run(engine, RunStatus.done)
    recorder(engine, last)(Progress([Stage(**(stage.__dict__ | {"seconds": 30.0, "is_over": True}))
                                     for stage in (FITTING, TRYING)]))  # fmt: skip
    run = new_run(engine)
    assert [stage.name for stage in last_stages(engine, run.id)] == ["fitting", "trying strengths"]
    begun = Stage(**(FITTING.__dict__ | {"seconds": 15.0, "done": 5.0}))
    recorder(engine, run)(Progress([begun, TRYING]))
    with hold_retrain_lock(engine):
        now = retrain_now(engine)
    assert now.share == 0.25
    assert now.words == "fitting; about a minute left"
    assert retrain_now(engine) is None


def test_a_retrain_that_loads_the_model_is_starting_and_expected_to_go_as_the_last_one(
    engine: Engine, hold_retrain_lock
) -> None:
    with hold_retrain_lock(engine):
        assert retrain_now(engine).words == "starting"
    last = new_run(engine, RunStatus.done)
    recorder(engine, last)(Progress([Stage(**(FITTING.__dict__ | {"seconds": 300.0, "is_over": True}))]))
    with hold_retrain_lock(engine):
        assert retrain_now(engine).words == "fitting; about 5 minutes left"
    assert retrain_now(engine) is None


def test_a_run_from_before_progress_was_recorded_has_none(engine: Engine) -> None:
    run = new_run(engine)
    assert progress_of(engine, run.id) == Progress()
    with reading(engine) as session:
        assert session.get_one(Run, run.id).steps == 0


def test_a_long_curve_is_thinned_to_means_and_keeps_its_last_step() -> None:
    curve = [{"step": float(n), "loss": 1.0, "learning_rate": 1e-4} for n in range(1, 1801)]
    thinned = thin(curve)
    assert len(thinned) == progress.POINTS
    assert thinned[-1] == {"step": 1800, "loss": 1.0}
    assert thin([]) == []
