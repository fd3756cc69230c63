from datetime import timedelta

from store.archive import orphans
from store.layout import layout_of
from store.migrate import open_store
from trainer.sample.leading.sweeping import EVERY_S, Sweeper


def test_the_leader_sweeps_at_most_once_a_day(settings, fill, tmp_path, monkeypatch):
    monkeypatch.setattr(orphans, "AGE", timedelta(seconds=-5))
    shared = settings.model_copy(update={"blobs": f"file://{tmp_path}/shared"})
    engine, layout = open_store(shared), layout_of(shared)
    fill(engine, put=layout.blobs.put)
    orphan = layout.blobs.put(b"drawn but never recorded")
    sweeper = Sweeper(engine, layout)
    sweeper.start_if_due()
    assert sweeper.thread is None
    sweeper.due_at = 0.0
    sweeper.start_if_due()
    sweeper.start_if_due()
    first = sweeper.thread
    assert first is not None
    first.join()
    assert not layout.blobs.has(orphan)
    assert len(layout.bucket.objects("blobs")) == 12
    assert EVERY_S == 86_400
    engine.dispose()


def test_without_a_bucket_the_leader_sweeps_nothing(engine, settings):
    sweeper = Sweeper(engine, layout_of(settings))
    sweeper.due_at = 0.0
    sweeper.start_if_due()
    assert sweeper.thread is None
