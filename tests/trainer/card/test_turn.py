from pathlib import Path

import pytest
import torch

from store.process.turns import RETRAIN, WORKER, Stay, staying
from store.settings import Settings
from tests.trainer.checkpoints import narrow_folder, single_file
from tests.trainer.conftest import quick_settings
from trainer.base.free import Memory
from trainer.base.weights import find_sources
from trainer.card.choosing import least, need_of
from trainer.card.sizes import GB, LIBRARIES, sizes_of
from trainer.card.turn import (
    has_room,
    left_beside,
    needs_of,
    place_of,
    store_of,
    tell_loaded,
    turn_on_device,
    wait_until_free,
)

CPU = torch.device("cpu")


def settings_with(**changes: object) -> Settings:
    return Settings(_env_file=None, **changes)


def test_the_size_of_a_model_is_that_of_its_loaded_weights(base):
    sizes = sizes_of(find_sources(base.settings), base.settings, CPU)
    pipe = base.pipe
    unet, vae, first, second = (
        sum(value.nbytes for value in part.parameters())
        for part in (pipe.unet, pipe.vae, pipe.text_encoder, pipe.text_encoder_2)
    )
    assert (sizes.unet, sizes.vae, sizes.linear_each) == (unet, vae, 4)
    assert (sizes.encoders, sizes.encoder) == pytest.approx((first + second, max(first, second)), rel=0.01)
    assert (sizes.uncounted, sizes.has_own) == (LIBRARIES, False)


def test_a_single_file_has_the_size_of_its_parts(base, tmp_path):
    folder = narrow_folder(base, tmp_path / "folder")
    file = single_file(folder, tmp_path / "one.safetensors")
    of_folder = settings_with(model=str(folder))
    of_file = settings_with(model=str(file), model_config_source=str(folder), width_px=64, height_px=64)
    one, two = (sizes_of(find_sources(settings), settings, CPU) for settings in (of_folder, of_file))
    assert two.unet == one.unet
    assert two.encoders == pytest.approx(one.encoders, rel=0.02)


def test_a_model_that_cannot_be_read_needs_nothing_because_loading_it_says_what_is_wrong(tmp_path):
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"no model")
    assert needs_of(WORKER, settings_with(model=str(tmp_path)), CPU) == 0


def test_the_built_in_model_needs_little():
    assert 0.5 * GB < needs_of(RETRAIN, quick_settings(Path("unused")), CPU) < 0.6 * GB


def test_other_models_need_at_least_what_the_smallest_choice_takes(base, tmp_path):
    model = narrow_folder(base, tmp_path / "folder")
    settings = settings_with(model=str(model), width_px=512, height_px=512)
    need = need_of(least(settings), sizes_of(find_sources(settings), settings, CPU))
    assert needs_of(WORKER, settings, CPU) == round(need.draw)
    assert needs_of(RETRAIN, settings, CPU) == round(need.most)
    large = settings.model_copy(update={"micro_batch": 8, "gradient_checkpointing": False})
    assert need_of(least(large), sizes_of(find_sources(settings), settings, CPU)).fit > 2 * need.fit


def test_once_it_is_loaded_others_reckon_with_all_that_was_chosen(own_base, tmp_path):
    settings = own_base.settings.model_copy(update={"turns_dir": tmp_path / "turns", "turns": "auto"})
    place, whole = place_of(settings), left_beside(place_of(settings)).whole

    def wait(others) -> None:
        raise AssertionError(others)

    with turn_on_device(settings, RETRAIN, wait) as turn:
        tell_loaded(turn, own_base)
        [stay] = place.shared.inside()
        assert stay.needs == needs_of(RETRAIN, own_base.settings, CPU) > 0
        assert place.shared.beside() == []
        assert left_beside(place).free > 0
    other = Stay(WORKER, store_of(settings), whole)
    with staying(place.shared, other, lambda others: True, wait):
        assert left_beside(place).free > 0  # this process itself


def test_who_comes_next_waits_until_the_memory_of_the_last_is_free_again():
    seen = iter([Memory(1, 10), Memory(1, 10), Memory(6, 10)])
    wait_until_free(6, lambda: next(seen), most_s=60)
    assert next(seen, None) is None


def test_it_waits_neither_for_what_is_never_there_nor_for_ever():
    looks = []

    def look(whole: int) -> Memory:
        looks.append(whole)
        return Memory(1, whole)

    wait_until_free(20, lambda: look(10), most_s=60)
    assert looks == [10]
    wait_until_free(6, lambda: look(11), most_s=0.3)
    assert 2 <= looks.count(11) < 10


@pytest.mark.parametrize(
    ("free", "others", "fits"),
    [
        (20, [], True),
        (9, [], False),
        (14, [8], True),
        (20, [16], False),  # it has loaded, and takes the rest when it fits
        (12, [4, 4, 8], False),
    ],
)
def test_a_model_fits_into_what_is_free_and_into_what_others_will_leave(free, others, fits):
    stays = [Stay(RETRAIN, "/a", needs) for needs in others]
    assert has_room(Memory(free, 24), 10, stays) is fits
