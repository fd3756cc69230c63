from pathlib import Path

import pytest
import torch

from store.process.turns import RETRAIN, WORKER, Stay
from store.settings import Settings
from tests.trainer.checkpoints import narrow_folder, single_file
from tests.trainer.conftest import quick_settings
from trainer.base.room.free import Memory
from trainer.base.room.need import FULL_UNET, GB, Size, drawing_need, fit_need, least, size_of
from trainer.base.room.turn import has_room, needs_of
from trainer.base.weights import BUILTIN_FOLDER, find_sources

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
FULL = Size(FULL_UNET, 901_000_000, 2, 2, 1024 * 1024)


def settings_with(**changes: object) -> Settings:
    return Settings(_env_file=None, **changes)


def test_the_size_of_a_model_is_that_of_its_loaded_weights(base):
    size = size_of(find_sources(base.settings), base.settings, CPU)
    parts = (base.pipe.unet, base.pipe.vae, base.pipe.text_encoder, base.pipe.text_encoder_2)
    loaded = [sum(value.numel() for value in part.parameters()) for part in parts]
    assert size.unet == loaded[0]
    assert size.others == pytest.approx(sum(loaded[1:]), rel=0.01)  # files keep some buffers as well
    assert size.bytes == 4
    assert size.pixels == base.plain.width * base.plain.height


def test_a_single_file_has_the_size_of_its_parts(base, tmp_path):
    file = single_file(narrow_folder(base, tmp_path / "folder"), tmp_path / "one.safetensors")
    of_folder, of_file = (settings_with(model=str(path)) for path in (tmp_path / "folder", file))
    folder, one = (size_of(find_sources(settings), settings, CPU) for settings in (of_folder, of_file))
    assert (one.unet, one.others) == pytest.approx((folder.unet, folder.others), rel=0.02)


def test_full_size_takes_what_was_measured_on_a_card():
    """A retrain of one latent a pass took 7.7 GB with checkpointing, without encoders; drawing did not fit into 8.5."""
    assert 10 * GB < drawing_need(FULL, CUDA) < 12.5 * GB
    small = settings_with(gradient_checkpointing=True, lora_layers="attention")
    assert fit_need(FULL, small, CUDA) == drawing_need(FULL, CUDA)  # trying strengths draws
    assert 15 * GB < fit_need(FULL, settings_with(), CUDA) < 17 * GB
    assert fit_need(FULL, settings_with(micro_batch=8), CUDA) > 80 * GB


def test_with_what_is_left_empty_at_its_least_a_card_of_8_gb_draws_and_retrains():
    smallest = least(settings_with())
    assert max(fit_need(FULL, smallest, CUDA), drawing_need(FULL, CUDA, smallest.vae_decode)) < 8 * 2**30
    assert fit_need(FULL, least(settings_with(gradient_checkpointing=False)), CUDA) > 15 * GB


def test_smaller_pictures_and_fewer_bits_need_less():
    half = FULL.__class__(FULL.unet, FULL.others, 1, 2, 512 * 512)
    assert drawing_need(half, CUDA) < drawing_need(FULL, CUDA) - 5 * GB


def test_quantised_weights_of_the_unet_count_a_byte_each(base):
    fp8 = settings_with(base_quantization="fp8")
    assert size_of(find_sources(fp8), fp8, CPU).unet_bytes == 1


def test_a_model_that_cannot_be_read_needs_nothing_because_loading_it_says_what_is_wrong(tmp_path):
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"no model")
    assert needs_of(WORKER, settings_with(model=str(tmp_path)), CPU) == 0


def test_the_built_in_model_needs_little():
    assert 0.5 * GB < needs_of(RETRAIN, quick_settings(Path("unused")), CPU) < 0.6 * GB
    assert BUILTIN_FOLDER.is_dir()


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
