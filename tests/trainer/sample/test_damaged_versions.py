"""Nothing is drawn with a damaged version: the base draws in its place, and everybody is told why."""

import logging

import pytest
from safetensors.torch import save
from sqlmodel import col, func, select

from feedback.figures.summary import standing
from feedback.pool.pool import how_due
from feedback.sample.requests import DrawAnswer, DrawRequest, Side, ask_drawing, task
from feedback.versions import get_version, promote
from store.engine import reading
from store.errors import DamagedVersion
from store.layout import layout_of
from store.migrate import open_store
from store.tables import Image, Origin
from tests.trainer.conftest import PICTURES
from tests.trainer.foreign_files import kohya_names, random_lora
from trainer.lora.formats import DIFFUSERS_FILE
from trainer.retrain.importing import import_lora
from trainer.sample.playground import draw_asked
from trainer.sample.sampler import require_sound
from trainer.sample.tries import CheckedSampler
from trainer.sample.worker import generate
from ui.words import standing_lines


@pytest.fixture
def store(rated, base, tmp_path):
    """A rated store with the champion v1, an imported LoRA."""
    file = tmp_path / "wrong.safetensors"
    file.write_bytes(save(kohya_names(random_lora(base.pipe.unet, "attention", 2), 2.0)))
    import_lora(rated, file)
    engine = open_store(rated)
    promote(engine, 1)
    yield engine
    engine.dispose()


def path_of(engine, settings):
    return layout_of(settings).version_folder(get_version(engine, 1).sha256) / DIFFUSERS_FILE


def turn_signs(path) -> None:
    data = bytearray(path.read_bytes())
    for place in range(len(data) - 1, len(data) // 2, -97):
        data[place] ^= 0x80
    path.chmod(0o644)
    path.write_bytes(data)


def drawn_by(engine, version: int) -> int:
    with reading(engine) as session:
        wanted = select(func.count(col(Image.id))).where(Image.version == version, Image.origin == Origin.sampled)
        return session.exec(wanted).one()


@pytest.mark.parametrize("spoil", [turn_signs, lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_the_base_draws_for_a_damaged_champion_and_everybody_is_told_why(store, rated, caplog, spoil):
    path = path_of(store, rated)
    spoil(path)
    more = rated.model_copy(update={"queue_target": PICTURES + 6, "base_slice": 0.0})
    with caplog.at_level(logging.WARNING):
        assert generate(more, once=True) > 0
    assert (drawn_by(store, 1), drawn_by(store, 0) > PICTURES) == (0, True)
    (said,) = standing(store).damaged
    assert said.startswith(f"v1 is damaged: {path}") and "the plain base draws in its place" in said
    assert said in caplog.text
    assert said in standing_lines(standing(store), how_due(store, 1))


def test_a_version_that_is_sound_again_draws_again(store, rated):
    path = path_of(store, rated)
    whole = path.read_bytes()
    turn_signs(path)
    generate(rated.model_copy(update={"queue_target": PICTURES + 2, "base_slice": 0.0}), once=True)
    path.write_bytes(whole)
    generate(rated.model_copy(update={"queue_target": PICTURES + 6, "base_slice": 0.0}), once=True)
    assert standing(store).damaged == ()
    assert drawn_by(store, 1) > 0


def test_the_playground_says_what_is_wrong_and_the_sampler_goes_on(store, rated, own_base):
    turn_signs(path_of(store, rated))
    sampler = CheckedSampler(own_base, layout_of(rated))
    number = ask_drawing(store, DrawRequest("a big red star", [1], [Side(0), Side(1)]))
    draw_asked(store, layout_of(rated), sampler, 0.0)
    answered = task(store, number)
    assert answered.message.startswith("v1 is damaged")
    assert [one.side for one in DrawAnswer.of(answered).drawn] == [0]
    with pytest.raises(DamagedVersion, match="is not the file that was published"):
        require_sound(layout_of(rated), get_version(store, 1))
    assert sampler.attached == 0
