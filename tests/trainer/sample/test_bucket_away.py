"""A worker whose bucket goes away keeps what it drew, its claims and its place, and goes on."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import select

from feedback.rate.queue import next_images
from feedback.rate.terms import Terms
from feedback.rate.votes import Press, record_votes
from store.blobs import bucket as module
from store.engine import reading
from store.layout import layout_of
from store.migrate import open_store
from store.tables import Claim, Damage, Image, Verdict, Vote
from tests.buckets import door_to
from tests.trainer.conftest import PICTURES, quick_settings
from tests.waiting import until
from trainer.sample import worker


@pytest.fixture
def door(s3_server, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.5)
    module._opened.cache_clear()
    with door_to(s3_server) as opened:
        yield opened
    module._opened.cache_clear()


def test_an_outage_loses_no_picture_and_no_vote(door, s3_url, tmp_path, caplog):
    caplog.set_level("INFO")
    settings = quick_settings(tmp_path / "store", blobs=s3_url)
    engine = open_store(settings)
    worker.generate(settings.model_copy(update={"queue_target": 4}), once=True)
    [picture, *_] = next_images(engine, "ann", Terms(1, 60), count=2)
    door.shuts_at = len(door.asked) + 20
    with ThreadPoolExecutor(1) as thread:
        drawing = thread.submit(generate_here, settings)
        until(lambda: "does not answer" in caplog.text, "the worker to meet the outage")
        record_votes(engine, "ann", [Press("one", picture.image_id, Verdict.keep)], Terms(1, 60))
        with reading(engine) as session:
            assert len(list(session.exec(select(Vote.id)))) == 1
            assert session.exec(select(Claim)).first() is not None
        assert not drawing.done()
        door.is_shut = False
        drawing.result()
    with reading(engine) as session:
        images = list(session.exec(select(Image)))
        assert session.exec(select(Damage)).first() is None
    assert len(images) >= PICTURES
    for image in images:
        assert layout_of(settings).bucket.find(f"blobs/{image.sha256[:2]}/{image.sha256}") is not None
    said = [record.message for record in caplog.records if record.name == "store.blobs.bucket"]
    assert [("does not answer" in one, "answers again" in one) for one in said] == [(True, False), (False, True)]
    engine.dispose()


def generate_here(settings) -> int:
    """A worker on a thread, where no signal can be caught."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "catch_stop_signals", threading_stop)
        return worker.generate(settings, once=True)


class threading_stop:  # noqa: N801
    def __enter__(self) -> threading.Event:
        return threading.Event()

    def __exit__(self, *_: object) -> None:
        pass
