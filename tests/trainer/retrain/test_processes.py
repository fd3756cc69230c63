import os
import socket

import pytest
from sqlmodel import select

from store.engine import reading
from store.layout import layout_of
from store.migrate import open_store
from store.tables import Version
from tests.trainer.children import DONE, OUR_ERROR, retrain_child, retrain_together, start
from tests.trainer.left import folders, last_run, published
from tests.waiting import PATIENCE_S
from trainer.retrain.processes import is_leader, leading, process_count


def together(settings, processes: int = 2) -> list[int | None]:
    """How the processes of one retrain ended, the first one's code first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [start(retrain_together, settings, rank, processes, port) for rank in range(processes)]
    for child in children:
        child.join(PATIENCE_S)
    return [child.exitcode for child in children]


def curve_of(settings) -> list[dict[str, float]]:
    engine = open_store(settings)
    with reading(engine) as session:
        (version,) = session.exec(select(Version).where(Version.number > 0))
    engine.dispose()
    return version.curve


@pytest.mark.slow
def test_two_processes_end_with_the_curve_of_one_and_publish_once(rated, rated_template, tmp_path):
    import shutil

    shutil.copytree(rated_template, tmp_path / "one")
    settings = rated.model_copy(update={"train_batch": 5, "train_steps": 4})
    alone = settings.model_copy(update={"data_dir": tmp_path / "one"})
    assert together(settings) == [DONE, DONE]
    child = start(retrain_child, alone)
    child.join(PATIENCE_S)
    assert child.exitcode == DONE
    (version,) = published(settings)
    assert folders(settings) == {version.sha256}
    for ours, theirs in zip(curve_of(settings), curve_of(alone), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
        assert ours["gradient_norm"] == pytest.approx(theirs["gradient_norm"], rel=1e-3)


@pytest.mark.slow
def test_when_nothing_is_due_every_process_ends(rated):
    assert together(rated.model_copy(update={"retrain_after": 1000, "data_dir": rated.data_dir})) == [DONE, DONE]
    assert published(rated) == []
    assert not layout_of(rated).checkpoints.exists()


@pytest.mark.slow
def test_more_processes_than_latents_are_refused_in_all_of_them(rated):
    assert together(rated.model_copy(update={"train_batch": 1}), 2) == [OUR_ERROR, OUR_ERROR]
    assert "2 processes were started, but each needs a latent" in last_run(rated).message


def test_a_process_started_by_hand_leads_and_is_alone(settings, monkeypatch):
    assert (process_count(), is_leader()) == (1, True)
    with leading(settings) as broadcast:
        broadcast("a" * 64)  # nobody listens, and nothing waits
    monkeypatch.setitem(os.environ, "RANK", "1")
    assert not is_leader()
