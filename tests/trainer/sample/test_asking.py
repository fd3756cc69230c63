"""What raters may be asked about is scored, whoever drew it."""

from dataclasses import replace

import pytest
from safetensors.torch import save
from sqlmodel import select

from feedback.check.calibration import Curve
from feedback.check.version_check import How, VersionCheck
from feedback.sample.asking import committee
from feedback.sample.prompts import add_prompts
from feedback.versions import promote
from store.engine import reading, writing
from store.layout import layout_of
from store.migrate import open_store
from store.tables import Image, Origin, PictureScore, Version
from tests.trainer.conftest import quick_settings
from tests.trainer.foreign_files import kohya_names, random_lora
from trainer.retrain.importing import import_lora
from trainer.sample.tries import CheckedSampler
from trainer.sample.worker import draw_and_record, plan


@pytest.fixture
def asking(own_base, tmp_path):
    """A store that asks about half of its pictures, with a champion whose check is on; its sampler and engine."""
    settings = quick_settings(tmp_path / "data", queue_target=4, ask_share=0.5, evaluation_pairs=0)
    tensors = kohya_names(random_lora(own_base.pipe.unet, "attention", 4), 4.0)
    (tmp_path / "theirs.safetensors").write_bytes(save(tensors))
    open_store(settings).dispose()
    number = import_lora(settings, tmp_path / "theirs.safetensors").number
    engine = open_store(settings)
    add_prompts(engine, ["a red star", "a green hand", "a cat"])
    with writing(engine) as session:
        check = VersionCheck(How((800,), 2, 4), off="", curve=Curve(slope=1.0), cut=0.0)
        session.get_one(Version, number).check = check.as_json()
    promote(engine, number)
    yield engine, settings, CheckedSampler(replace(own_base, settings=settings), layout_of(settings))
    engine.dispose()


def test_every_picture_to_ask_about_has_the_score_of_the_newest_check(asking):
    engine, settings, sampler = asking
    [version] = committee(engine)
    while work := plan(engine, settings, 8):
        draw_and_record(engine, layout_of(settings), sampler, work)
    with reading(engine) as session:
        asked = {i.id: i.version for i in session.exec(select(Image).where(Image.origin == Origin.asked))}
        scores = {score.image_id: score for score in session.exec(select(PictureScore))}
    assert len(asked) == 8
    assert set(asked.values()) == {0, version.number}
    assert asked.keys() <= scores.keys()
    assert all(scores[image].version == version.number and scores[image].is_out_of_sample for image in asked)
    assert len({scores[image].score for image in asked}) == 8
