"""Two machines with nothing in common but a database and a bucket."""

import os
import signal

import pytest
from sqlmodel import select

from feedback.gate.evidence import failed_checks
from feedback.rate.display import shown_bytes
from feedback.versions import get_version, promote
from store.engine import reading
from store.errors import Interrupted
from store.layout import layout_of
from store.migrate import open_store
from store.tables import Image
from tests.trainer.conftest import PICTURES, quick_settings, rate_everything
from trainer.retrain.retrain import retrain
from trainer.retrain.shared_checkpoints import _Sender
from trainer.sample.worker import generate


@pytest.fixture
def opened(monkeypatch):
    """Closes in the end what a worker and a retrain leave open until their process ends."""
    engines = []

    def open_and_keep(settings):
        engines.append(open_store(settings))
        return engines[-1]

    for module in ("trainer.sample.worker", "trainer.retrain.retrain"):
        monkeypatch.setattr(f"{module}.open_store", open_and_keep)
    yield open_and_keep
    for engine in engines:
        engine.dispose()


@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_what_one_machine_began_the_other_goes_on_with(postgres_url, s3_url, opened, tmp_path, monkeypatch, caplog):
    one, two = (quick_settings(tmp_path / name, store_url=postgres_url, blobs=s3_url) for name in ("one", "two"))
    assert generate(one, once=True) == PICTURES + 2
    engine = opened(two)
    rate_everything(engine, two)
    with reading(engine) as session:
        drawn = list(session.exec(select(Image.sha256)))
    for sha256 in drawn:
        assert shown_bytes(layout_of(two), sha256) == shown_bytes(layout_of(one), sha256)
    assert not (two.data_dir / "blobs").exists()

    send = _Sender.send

    def send_and_be_preempted(self, checkpoint) -> None:
        send(self, checkpoint)
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(_Sender, "send", send_and_be_preempted)
        with pytest.raises(Interrupted):
            retrain(one)
    caplog.set_level("INFO")
    assert retrain(two).version == 1
    assert "the fit goes on from another machine's checkpoint (step-00000" in caplog.text
    version = get_version(engine, 1)
    assert [point["step"] for point in version.curve] == [1, 2, 3, 4, 5, 6]
    assert layout_of(two).bucket.objects("checkpoints") == []

    promote(engine, 1, "it is better")
    assert not layout_of(one).version_folder(version.sha256).exists()
    more = one.model_copy(update={"queue_target": 4, "base_slice": 0.0})
    assert generate(more, once=True) > 0
    assert failed_checks(layout_of(one), version) == []
    with reading(engine) as session:
        assert session.exec(select(Image.id).where(Image.version == 1)).first() is not None
