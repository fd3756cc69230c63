"""Who leads the workers of a store that several machines use."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from feedback.sample.prompts import add_prompts, list_prompts
from store.engine import RETRAIN_LOCK
from store.layout import layout_of
from store.locks import take
from store.migrate import open_store
from store.settings import Settings
from tests.trainer.machines import end_locks
from trainer.sample.leading.leader import Leader, Retrainer

pytestmark = pytest.mark.postgres


@pytest.fixture
def two(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Leader]]:
    """Workers of two machines, whose leader adds a prompt named after its data folder whenever it leads."""

    def note(engine, layout, _settings) -> None:
        add_prompts(engine, [layout.root.name])

    monkeypatch.setattr("trainer.sample.leading.leader.after_drawing", note)
    with ExitStack() as held:
        leaders = []
        for name in ("first", "second"):
            settings = Settings(data_dir=tmp_path / name, store_url=postgres_url, _env_file=None)
            engine = open_store(settings)
            held.callback(engine.dispose)
            leaders.append(Leader(engine, layout_of(settings), settings, held))
        yield leaders


def acted(leader: Leader) -> list[str]:
    return sorted(prompt.text for prompt in list_prompts(leader.engine))


def test_two_machines_never_both_lead_and_one_takes_over_from_the_other(two) -> None:
    first, second = two
    assert first.run_if_mine(draws_alone=True)
    assert not second.run_if_mine(draws_alone=True)
    end_locks(first.engine)
    assert second.acquire()
    assert not first.run_if_mine(draws_alone=True)
    assert not first.is_leading
    assert second.run_if_mine(draws_alone=True)
    assert acted(first) == ["first", "second"]


def test_a_leader_that_loses_the_lock_midway_writes_nothing_more(two, monkeypatch) -> None:
    first, second = two

    def lose_and_write(engine, layout, _settings) -> None:
        end_locks(engine)
        with ThreadPoolExecutor() as other:  # the fence is of this thread
            assert other.submit(second.acquire).result()
        add_prompts(engine, ["too late"])

    assert first.acquire()
    with monkeypatch.context() as patch:
        patch.setattr("trainer.sample.leading.leader.after_drawing", lose_and_write)
        assert not first.run_if_mine(draws_alone=True)
    assert acted(first) == []
    assert second.run_if_mine(draws_alone=True)
    assert not first.run_if_mine(draws_alone=True)
    assert acted(first) == ["second"]


def test_after_the_lock_was_lost_and_nobody_took_it_the_worker_leads_again_and_resumes_a_retrain(two) -> None:
    first, second = two
    assert first.acquire()
    first.retrainer.is_new = False
    end_locks(first.engine)
    assert first.run_if_mine(draws_alone=True)
    assert first.retrainer.is_new
    assert not second.run_if_mine(draws_alone=True)


def test_a_leader_starts_no_retrain_while_one_runs_on_another_machine(two) -> None:
    first, second = two
    retrainer = Retrainer(first.engine, first.settings.model_copy(update={"auto_retrain": True}), command=["true"])
    hold = take(second.engine, RETRAIN_LOCK, "busy")
    retrainer.start_if_due()
    assert retrainer.is_new  # so that it looks for an interrupted one once that has ended
    hold.release()
    retrainer.start_if_due()
    assert not retrainer.is_new
